// Prints which statements the rows show, and which no row shows: the end of `npm run conformance`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { allStatements, coverage, type Statement } from '../tools/statements.ts'
import type { Row } from './kit/row.ts'
import { versionsOf } from './kit/row.ts'
import { SERVER_TABLES } from './server/tables.ts'

/** `5.0 MQTT-4.1.0-1 server` to why no exchange of packets can show it. */
function unobservable(): Map<string, string> {
  const table = readFileSync(join(import.meta.dirname, 'unobservable.tsv'), 'utf8')
  const lines = table.trimEnd().split('\n').slice(1)
  return new Map(lines.map((line) => line.split('\t') as [string, string]))
}

function main(): void {
  const rows: Row[] = SERVER_TABLES.flatMap((table) => [...table.rows])
  const shown = rows.filter((row) => row.todo === undefined)
  const exchanges = shown.reduce((sum, row) => sum + versionsOf(row).length, 0)
  console.log(`\n${shown.length} rows, ${exchanges} exchanges; ${rows.length - shown.length} rows to do`)
  for (const version of ['3.1.1', '5.0']) report(version, rows)
}

function report(version: string, rows: readonly Row[]): void {
  const hidden = unobservable()
  const bound = allStatements().filter((each) => each.version === version && each.who !== 'client')
  const statements = bound.map((each): Statement => ({ ...each, who: 'server' }))
  const { missing, covered, total } = coverage(statements, rows)
  const open = missing.filter((line) => !hidden.has(keyOf(line)))
  console.log(
    `${version}: ${covered} of ${total} statements about the server are covered` +
      `, ${missing.length - open.length} cannot be seen from outside, ${open.length} are missing`,
  )
  for (const line of missing) {
    const reason = hidden.get(keyOf(line))
    console.log(reason === undefined ? `  missing ${line}` : `  unseen  ${keyOf(line)}: ${reason}`)
  }
}

function keyOf(line: string): string {
  return line.slice(0, line.indexOf(':'))
}

main()
