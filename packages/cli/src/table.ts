export type Format = 'table' | 'json' | 'csv'

export interface Rows {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
}

/** Rows as text: aligned columns, a JSON array of objects, or CSV as RFC 4180 has it. */
export function formatRows(result: Rows, format: Format): string {
  if (format === 'json') return jsonOf(result)
  if (format === 'csv') return csvOf(result)
  return tableOf(result)
}

function tableOf({ columns, rows }: Rows): string {
  const cells = rows.map((row) => row.map((value) => text(value).replaceAll(/[\p{Cc}]+/gu, ' ')))
  const widths = columns.map((column, i) =>
    Math.max(column.length, ...cells.map((row) => row[i]?.length ?? 0)),
  )
  const line = (row: readonly string[]): string =>
    row
      .map((value, i) => value.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width))
  return `${[columns, rule, ...cells].map(line).join('\n')}\n`
}

/** An integer beyond what a number holds exactly stays one, digit by digit. */
function jsonOf({ columns, rows }: Rows): string {
  const objects = rows.map(
    (row) => `{${columns.map((column, i) => `${JSON.stringify(column)}:${jsonValue(row[i])}`).join(',')}}`,
  )
  return `[${objects.join(',\n')}]\n`
}

function jsonValue(value: unknown): string {
  if (typeof value === 'bigint') return value.toString()
  return JSON.stringify(value instanceof Uint8Array ? text(value) : (value ?? null))
}

function csvOf({ columns, rows }: Rows): string {
  const cell = (value: unknown): string => {
    const said = text(value)
    return /[",\r\n]/.test(said) ? `"${said.replaceAll('"', '""')}"` : said
  }
  return [columns, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('')
}

function text(value: unknown): string {
  if (value === null || value === undefined) return ''
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value)
}
