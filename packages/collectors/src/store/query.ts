import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'

export interface QueryResult {
  readonly columns: readonly string[]
  /** Integers that a number does not hold exactly, such as nanoseconds, are bigint. */
  readonly rows: readonly (readonly SQLOutputValue[])[]
}

/** Reads a collector's database with SQL; nothing that writes is let through.
 *  @param limit rows at most; default 100000
 *  @throws Error when the statement writes, or SQLite refuses it */
export function query(
  path: string,
  sql: string,
  values: readonly (string | number | bigint | null)[] = [],
  limit = 100_000,
): QueryResult {
  // A read-only connection still lets VACUUM INTO and ATTACH make files.
  const first = /^[\s;]*(?:(?:--[^\n]*\n|\/\*[\s\S]*?\*\/)[\s;]*)*(\w+)/.exec(sql)?.[1]?.toUpperCase()
  if (first === undefined || !['SELECT', 'WITH', 'VALUES', 'EXPLAIN'].includes(first)) {
    throw new Error(`a query begins with SELECT, WITH, VALUES or EXPLAIN, not with ${first ?? 'nothing'}`)
  }
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
  try {
    db.exec('PRAGMA query_only = ON')
    const statement = db.prepare(sql)
    const columns = statement.columns().map(({ name }) => name)
    statement.setReadBigInts(true)
    statement.setReturnArrays(true)
    const rows: SQLOutputValue[][] = []
    for (const row of statement.iterate(...values) as Iterable<unknown>) {
      if (rows.length >= limit) break
      rows.push((row as SQLOutputValue[]).map(narrow))
    }
    return { columns, rows }
  } finally {
    db.close()
  }
}

function narrow(value: SQLOutputValue): SQLOutputValue {
  if (typeof value !== 'bigint') return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
