// Which properties an object may have together, and short names that tell those apart.

/** A node of a syntax tree, as far as it is looked at. */
export interface Node {
  readonly type: string
  readonly [key: string]: unknown
}

/** Those that minifiers use most come first. */
const LETTERS = 'etnriaoscldupmhfgvybwxkTESDjCqzAILPMNROBUHWFGVKXYJQZ_$'

/** The names that occur together in each class, type and object of the sources. */
export class Shapes {
  /** Names by the class or type that declares them. */
  private readonly declared = new Map<string, Set<string>>()
  /** What a class, type or object has itself, and the types that it may have the names of as well. */
  private readonly shapes: { readonly names: Set<string>; readonly types: readonly string[] }[] = []
  /** An object may lack them: where it does, nothing else may answer to their short name. */
  private readonly optional = new Set<string>()

  /** Notes the names of a node that declares some. */
  add(node: Node): void {
    const members = membersOf(node)
    if (members === undefined) return
    const names = new Set(members.map(({ key }) => nameOf(key)))
    for (const { key, optional } of members) if (optional === true) this.optional.add(nameOf(key))
    const name = nameOf(node.id)
    const types = node.type === 'ObjectExpression' ? [] : namesIn(node, new Set(['body', 'id']))
    // The members written out in a type are among the names in it.
    if (node.type === 'TSTypeAliasDeclaration' || node.type === 'TSIntersectionType')
      for (const each of types) names.add(each)
    this.shapes.push({ names, types })
    if (name === '') return
    const known = this.declared.get(name) ?? new Set()
    this.declared.set(name, known)
    for (const each of [...names, ...types.map((type) => `:${type}`)]) known.add(each)
  }

  /** @param names the most frequent first
   *  @param taken names that are not shortened */
  shorten(names: readonly string[], taken: ReadonlySet<string>): Record<string, string> {
    const rivals = this.rivals()
    const short: Record<string, string> = {}
    const alone = new Set<string>()
    for (const name of names) {
      const used = new Set([...(rivals.get(name) ?? [])].map((rival) => short[rival]))
      const mayShare = !this.optional.has(name) && rivals.has(name)
      const all = mayShare ? alone : new Set(Object.values(short))
      for (let i = 0; ; i++) {
        const candidate = letters(i)
        if (used.has(candidate) || all.has(candidate) || taken.has(candidate)) continue
        short[name] = candidate
        if (!mayShare) alone.add(candidate)
        break
      }
    }
    return short
  }

  /** For each name those that an object may have beside it. */
  private rivals(): Map<string, Set<string>> {
    const rivals = new Map<string, Set<string>>()
    for (const { names, types } of this.shapes) {
      const all = new Set(names)
      for (const type of types) this.addAll(type, all, new Set())
      for (const name of all) {
        const known = rivals.get(name) ?? new Set()
        rivals.set(name, known)
        for (const other of all) if (other !== name) known.add(other)
      }
    }
    return rivals
  }

  private addAll(type: string, into: Set<string>, seen: Set<string>): void {
    if (seen.has(type)) return
    seen.add(type)
    for (const name of this.declared.get(type) ?? []) {
      if (name.startsWith(':')) this.addAll(name.slice(1), into, seen)
      else into.add(name)
    }
  }
}

/** Calls `see` with a node and all that is in it. */
export function visit(node: Node, see: (node: Node) => void): void {
  see(node)
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof (child as Node | null)?.type === 'string') visit(child as Node, see)
    }
  }
}

export function nameOf(key: unknown): string {
  return (key as { name?: string } | null)?.name ?? ''
}

/** The members of what declares some; undefined for other nodes. */
function membersOf(node: Node): readonly Node[] | undefined {
  switch (node.type) {
    case 'ClassDeclaration':
    case 'ClassExpression':
    case 'TSInterfaceDeclaration':
      return (node.body as { body: Node[] }).body
    case 'TSTypeLiteral':
      return node.members as Node[]
    case 'TSTypeAliasDeclaration':
    case 'TSIntersectionType':
      return []
    case 'ObjectExpression':
      return node.properties as Node[]
    default:
      return undefined
  }
}

/** The identifiers in a node, but for those in some of its fields. */
function namesIn(node: Node, without: ReadonlySet<string>): string[] {
  const names: string[] = []
  for (const [field, value] of Object.entries(node)) {
    if (without.has(field)) continue
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof (child as Node | null)?.type !== 'string') continue
      visit(child as Node, (inner) => {
        if (inner.type === 'Identifier') names.push(nameOf(inner))
      })
    }
  }
  return names
}

function letters(index: number): string {
  const rest = Math.floor(index / LETTERS.length)
  return (rest > 0 ? letters(rest - 1) : '') + LETTERS[index % LETTERS.length]!
}
