// Which property names the page's build may shorten: those that only our own classes use.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'rolldown/utils'

/** A node of a syntax tree, as far as it is looked at. */
interface Node {
  readonly type: string
  readonly [key: string]: unknown
}

/** Classes that a page holds instances of: their members that are not private keep their names. */
const PUBLIC_CLASS = /^(MqttClient|Message|Messages)$|Error$/
const INTERNAL = /^\*[^*]*@internal/

/** The names among `names` that nobody else reads: no interface or type names them (options, packets, results,
 *  objects of the page), no string does, no object of the platform has them, no class for the page shows them.
 *  @param folder of the packages */
export function ownNames(names: readonly string[], folder: string): string[] {
  const kept = platformNames()
  for (const source of globSync('{client,protocol}/src/**/*.ts', { cwd: folder })) {
    if (source.endsWith('.test.ts')) continue
    const text = readFileSync(join(folder, source), 'utf8')
    const { program, comments } = parseSync(source, text, { lang: 'ts' })
    const internal = new Set(comments.filter(({ value }) => INTERNAL.test(value)).map(({ end }) => end))
    // A member is internal when nothing but space is between that comment and it.
    const isInternal = (start: number) =>
      [...internal].some((end) => end <= start && text.slice(end, start).trim() === '')
    visit(program as unknown as Node, (node) => collect(node, kept, isInternal))
  }
  return names.filter((name) => !kept.has(name))
}

function collect(node: Node, kept: Set<string>, isInternal: (start: number) => boolean): void {
  if (node.type === 'Literal' && typeof node.value === 'string') kept.add(node.value)
  else if (node.type === 'TSPropertySignature' || node.type === 'TSMethodSignature')
    kept.add(nameOf(node.key))
  else if (node.type === 'ClassDeclaration' && PUBLIC_CLASS.test(nameOf(node.id))) {
    for (const member of (node.body as { body: Node[] }).body) {
      if (member.accessibility !== 'private' && !isInternal(member.start as number))
        kept.add(nameOf(member.key))
    }
  }
}

function nameOf(key: unknown): string {
  return (key as { name?: string } | null)?.name ?? ''
}

function visit(node: Node, see: (node: Node) => void): void {
  see(node)
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof (child as Node | null)?.type === 'string') visit(child as Node, see)
    }
  }
}

/** What the objects of the platform have: those of Node, which are a page's too as far as both are used. */
function platformNames(): Set<string> {
  const names = new Set<string>()
  const seen = new Set<unknown>()
  const add = (object: unknown): void => {
    if (object === null || (typeof object !== 'object' && typeof object !== 'function') || seen.has(object))
      return
    seen.add(object)
    for (const name of Object.getOwnPropertyNames(object)) names.add(name)
    add(Object.getPrototypeOf(object))
    const { prototype } = object as { prototype?: unknown }
    add(prototype)
  }
  for (const name of Object.getOwnPropertyNames(globalThis))
    add((globalThis as Record<string, unknown>)[name])
  add(crypto.subtle)
  add([][Symbol.iterator]())
  return names
}
