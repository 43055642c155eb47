import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import {
  ConfigurationError,
  type Entry,
  type OptionValue,
  type Scalar,
  type Setting,
  type Settings,
  unknownKey,
  valueFault,
} from './check.ts'
import { OPTIONS, type OptionRow, phraseOf, SECTIONS } from './table.ts'

/** Reads the text of a configuration file.
 *  @param name what it is called in complaints
 *  @throws ConfigurationError with each fault, its line and what would be right */
export function settingsFromYaml(text: string, name: string): Settings {
  return new YamlFile(text, name).read()
}

class YamlFile {
  private readonly name: string
  private readonly lines = new LineCounter()
  private readonly document: ReturnType<typeof parseDocument>
  private readonly settings = new Map<string, Setting>()
  private readonly faults: { readonly line: number; readonly text: string }[] = []

  constructor(text: string, name: string) {
    this.name = name
    this.document = parseDocument(text, { lineCounter: this.lines, prettyErrors: false, strict: true })
  }

  read(): Settings {
    for (const error of [...this.document.errors, ...this.document.warnings]) {
      this.fault(error.pos[0], `not YAML: ${error.message}`)
    }
    if (this.faults.length === 0) this.section(this.document.contents, '')
    if (this.faults.length === 0) return this.settings
    const sorted = this.faults.sort((a, b) => a.line - b.line)
    throw new ConfigurationError(sorted.map(({ line, text }) => `${this.name}:${line}: ${text}`))
  }

  /** @param prefix empty, or a section and its dot */
  private section(given: Node | null, prefix: string): void {
    for (const { key, at, value } of this.pairs(given, prefix === '' ? 'the file' : prefix.slice(0, -1))) {
      const name = prefix + key
      const row = OPTIONS.find((each) => each.key === name)
      if (row !== undefined) {
        const checked = this.value(row, name, value, at)
        if (checked !== undefined)
          this.settings.set(name, { value: checked, where: `${this.name}:${this.line(at)}` })
      } else if (SECTIONS.has(name)) this.section(value, `${name}.`)
      else this.fault(at, unknownKey(name))
    }
  }

  private value(row: OptionRow, name: string, given: Node | null, at: number): OptionValue | undefined {
    const node = this.resolved(given)
    if (row.type.kind === 'list' && isSeq(node)) {
      const { of } = row.type
      return node.items.map((item, i) => this.entry(item as Node, `${name}[${i}]`, of, at))
    }
    if (row.type.kind === 'section' && (isMap(node) || node === null)) {
      return this.entry(node, name, row.type.of, at)
    }
    const value = isScalar(node) ? node.value : (node?.toJSON() as unknown)
    const fault = valueFault(name, row.type, value)
    if (fault === undefined) return value as Scalar | string[]
    const told = row.secret === true ? `${name} takes ${phraseOf(row.type)}` : fault
    this.fault(node?.range?.[0] ?? at, told)
    return undefined
  }

  private entry(given: Node | null, name: string, rows: readonly OptionRow[], listAt: number): Entry {
    const entry: Record<string, OptionValue> = {}
    for (const { key, at, value } of this.pairs(given, name, listAt)) {
      const row = rows.find((each) => each.key === key)
      if (row === undefined) this.fault(at, `${name}: ${unknownKey(key, rows)}`)
      else {
        const checked = this.value(row, `${name}.${key}`, value, at)
        if (checked !== undefined) entry[key] = checked
      }
    }
    return entry
  }

  private pairs(
    given: Node | null,
    name: string,
    fallbackAt = 0,
  ): { key: string; at: number; value: Node | null }[] {
    const node = this.resolved(given)
    if (node === null || (isScalar(node) && node.value === null)) return []
    if (!isMap(node)) {
      this.fault(node.range?.[0] ?? fallbackAt, `${name} takes keys and values`)
      return []
    }
    return node.items.map(({ key, value }) => {
      const at = (key as Node).range?.[0] ?? fallbackAt
      return { key: isScalar(key) ? String(key.value) : String(key), at, value: value as Node | null }
    })
  }

  private resolved(node: Node | null): Node | null {
    return isAlias(node) ? (node.resolve(this.document) ?? null) : node
  }

  private line(offset: number): number {
    return this.lines.linePos(offset).line
  }

  private fault(offset: number, text: string): void {
    this.faults.push({ line: this.line(offset), text })
  }
}
