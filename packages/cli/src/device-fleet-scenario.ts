import { readFile } from 'node:fs/promises'
import { checkScenario, type Path, type Scenario } from '@pipit/device'
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { CommandError } from './faults.ts'
import { fileFault } from './named-file.ts'

/** What the command line says over the file. */
export type ScenarioChanges = Readonly<Record<string, string | number>>

/** Reads a scenario from a YAML file, or makes one of defaults where there is none.
 *  @param changes keys of the first level that the command line gives
 *  @throws CommandError with a line for each fault: the file, its line, what is wrong and what would be right */
export async function readScenario(file: string | undefined, changes: ScenarioChanges): Promise<Scenario> {
  const text = file === undefined ? '' : await contentsOf(file)
  return scenarioFrom(text, file ?? 'the command line', changes)
}

/** @param name what the text is called in complaints */
export function scenarioFrom(text: string, name: string, changes: ScenarioChanges): Scenario {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const broken = [...document.errors, ...document.warnings].map(
    ({ pos, message }) => `${name}:${lines.linePos(pos[0]).line}: not YAML: ${message}`,
  )
  if (broken.length > 0) throw failed(broken)
  const { scenario, faults } = checkScenario(withChanges(plain(document, name), changes))
  if (faults.length === 0) return scenario
  throw failed(
    faults.map(({ path, message }) => {
      const said = path.length === 1 && String(path[0]) in changes
      return said
        ? `--${path[0]}: ${message}`
        : `${name}:${lineOf(document.contents, lines, path)}: ${message}`
    }),
  )
}

function plain(document: ReturnType<typeof parseDocument>, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw failed([`${name}: ${error instanceof Error ? error.message : String(error)}`])
  }
}

/** What is no object stays what it is, to be complained of. */
function withChanges(document: unknown, changes: ScenarioChanges): unknown {
  const given = document ?? {}
  return typeof given === 'object' && !Array.isArray(given) ? { ...given, ...changes } : given
}

/** The line of what stands at a path, or of what is around it when that is not there. */
function lineOf(contents: Node | null, lines: LineCounter, path: Path): number {
  let node: Node | null = contents
  let at = node?.range?.[0] ?? 0
  for (const part of path) {
    let inner: unknown
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part))
      const key = pair?.key as Node | undefined
      if (key?.range != null) at = key.range[0]
      inner = pair?.value
    } else if (isSeq(node)) {
      inner = node.items[Number(part)]
      at = (inner as Node | undefined)?.range?.[0] ?? at
    }
    if (inner === undefined || inner === null) break
    node = inner as Node
  }
  return lines.linePos(at).line
}

function failed(faults: readonly string[]): CommandError {
  return new CommandError(faults.join('\npipit device: '))
}

async function contentsOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw new CommandError(`--scenario ${file}: ${fileFault(error)}`)
  })
}
