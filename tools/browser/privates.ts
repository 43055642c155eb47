// Gives private members names that nothing else has: `this.queue` of one class is not `options.queue` of the user's.
import { parseSync } from 'rolldown/utils'
import { type Node, nameOf, visit } from './shapes.ts'

/** Has the private members of a module's classes end in `_`. Classes here read those of `this` alone. */
export function markPrivates(text: string): string {
  const marks = new Map<number, string>()
  const { program } = parseSync('module.ts', text, { lang: 'ts' })
  visit(program as unknown as Node, (node) => {
    if (node.type === 'ClassDeclaration') markClass(node, marks)
  })
  let marked = ''
  let from = 0
  for (const [at, mark] of [...marks].sort(([one], [other]) => one - other)) {
    marked += text.slice(from, at) + mark
    from = at
  }
  return marked + text.slice(from)
}

/** Notes what to put where. */
function markClass(declared: Node, marks: Map<number, string>): void {
  const { body } = declared.body as { body: Node[] }
  const privates = new Set(body.filter(isPrivate).map(({ key }) => nameOf(key)))
  const mark = (key: unknown): void => {
    if (privates.has(nameOf(key))) marks.set((key as { end: number }).end, '_')
  }
  for (const member of body) if (isPrivate(member)) mark(member.key)
  visit(declared, (node) => {
    if (node.type === 'MemberExpression' && isThis(node.object)) mark(node.property)
    if (node.type !== 'VariableDeclarator' || !isThis(node.init)) return
    for (const property of (node.id as { properties?: Node[] }).properties ?? []) {
      const name = nameOf(property.key)
      if (!privates.has(name)) continue
      marks.set((property.key as { end: number }).end, property.shorthand === true ? `_: ${name}` : '_')
    }
  })
}

function isPrivate(member: Node): boolean {
  return member.accessibility === 'private'
}

function isThis(node: unknown): boolean {
  return (node as Node | null)?.type === 'ThisExpression'
}
