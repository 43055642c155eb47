// Lists the normative statements that no conformance test covers yet: `npm run statements`.
//
// A row of a conformance table names what it covers, and on which side: '5.0 MQTT-4.3.3-4 server'. The tables are
// what the files conformance/*/tables.ts export. The statements are in conformance/statements/, a file for each
// version of MQTT, in our words.
import { globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

type Side = 'client' | 'server'

export interface Statement {
  /** '3.1.1' or '5.0'. */
  readonly version: string
  /** `MQTT-4.3.3-4`; the same id means another thing in another version. */
  readonly id: string
  readonly section: string
  /** Whom it binds; `any` is kept when either side keeps it. */
  readonly who: Side | 'both' | 'any'
  readonly text: string
}

/** What is read of a row of a conformance table. */
export interface CoveringRow {
  readonly covers: readonly string[]
  /** Why it is not run; it covers nothing then. */
  readonly todo?: string
}

export interface Coverage {
  readonly covered: number
  readonly total: number
  /** `5.0 MQTT-4.3.3-4 server: what it says`, in the order of the specification. */
  readonly missing: readonly string[]
  /** What tables name and no statement is. */
  readonly unknown: readonly string[]
}

/** Reads a table: a line of names, then id, section, who and statement between tabs. */
export function parseStatements(version: string, table: string): Statement[] {
  const lines = table.trimEnd().split('\n').slice(1)
  return lines.map((line, index) => {
    const [id = '', section = '', who = '', text = ''] = line.split('\t')
    if (!/^MQTT-\d+(\.\d+)*-\d+$/.test(id) || !/^(client|server|both|any)$/.test(who) || text === '') {
      throw new Error(`${version}, line ${index + 2}: want id, section, who, statement; got "${line}"`)
    }
    return { version, id, section, who: who as Statement['who'], text }
  })
}

/** Compares the statements with what the rows of conformance tables name. */
export function coverage(statements: readonly Statement[], rows: readonly CoveringRow[]): Coverage {
  const named = new Set(rows.filter(({ todo }) => todo === undefined).flatMap(({ covers }) => covers))
  const missing: string[] = []
  const known = new Set<string>()
  let total = 0
  for (const statement of statements) {
    const keys = sides(statement).map((side) => `${statement.version} ${statement.id} ${side}`)
    // A side that a statement does not bind may show it all the same.
    for (const side of ['client', 'server']) known.add(`${statement.version} ${statement.id} ${side}`)
    total += statement.who === 'any' ? 1 : keys.length
    const uncovered = keys.filter((key) => !named.has(key))
    if (statement.who === 'any' && uncovered.length < keys.length) continue
    const reported = statement.who === 'any' ? uncovered.slice(0, 1) : uncovered
    for (const key of reported) missing.push(`${key}: ${statement.text}`)
  }
  const unknown = [...named].filter((key) => !known.has(key)).sort()
  return { covered: total - missing.length, total, missing, unknown }
}

function sides({ who }: Statement): Side[] {
  return who === 'client' || who === 'server' ? [who] : ['client', 'server']
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Every statement in conformance/statements/. */
export function allStatements(): Statement[] {
  return globSync('conformance/statements/*.tsv', { cwd: root })
    .sort()
    .flatMap((file) => {
      const version = basename(file, '.tsv').replace('mqtt-', '')
      return parseStatements(version, readFileSync(join(root, file), 'utf8'))
    })
}

// Every row of every table that a file conformance/*/tables.ts exports.
async function allRows(): Promise<CoveringRow[]> {
  const files = globSync('conformance/*/tables.ts', { cwd: root }).sort()
  const modules = await Promise.all(files.map((file) => import(pathToFileURL(join(root, file)).href)))
  const tables = modules.flatMap((exported: Record<string, { rows: CoveringRow[] }[]>) =>
    Object.values(exported).flat(),
  )
  return tables.flatMap(({ rows }) => rows)
}

async function main(): Promise<void> {
  const { covered, total, missing, unknown } = coverage(allStatements(), await allRows())
  for (const line of missing) console.log(line)
  console.log(`${covered} of ${total} statements are covered (a statement on both sides counts twice)`)
  for (const key of unknown) console.error(`no such statement: ${key}`)
  if (unknown.length > 0) process.exitCode = 1
}

if (import.meta.main) await main()
