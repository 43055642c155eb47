// Which property names the page's build may shorten: those that only our own classes use.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'rolldown/utils'
import { markPrivates } from './privates.ts'
import { type Node, nameOf, Shapes, visit } from './shapes.ts'

/** Classes that a page holds instances of: their members that are not private keep their names. */
const PUBLIC_CLASS = /^(MqttClient|Message|Messages)$|Error$/
/** Where objects of the page, or of its user, are described: every name there is theirs. */
const DESCRIBES_OTHERS = /telemetry|store\/|transport\/(stream|websocket)|page-timers|property-table/
const INTERNAL = /^\*[^*]*@internal/

/** A short name for each of `names` that nobody else reads: no type for the page's user names them (options,
 *  results), nor one of the page's own objects, no string does, no object of the platform has them, no class for
 *  the page shows them. Names that no object has both get the same one: gzip packs fifty names better than five
 *  hundred.
 *  @param names of properties, with how often each is used
 *  @param folder of the packages */
export function shortNames(names: ReadonlyMap<string, number>, folder: string): Record<string, string> {
  const kept = platformNames()
  const exported = exportedNames(folder)
  const shapes = new Shapes()
  for (const source of globSync('{client,protocol}/src/**/*.ts', { cwd: folder })) {
    if (source.endsWith('.test.ts')) continue
    const text = markPrivates(readFileSync(join(folder, source), 'utf8'))
    const { program, comments } = parseSync(source, text, { lang: 'ts' })
    const internal = comments.filter(({ value }) => INTERNAL.test(value)).map(({ end }) => end)
    // A member is internal when nothing but space is between that comment and it.
    const isInternal = (start: number) =>
      internal.some((end) => end <= start && text.slice(end, start).trim() === '')
    const isShown = (name: string) => exported.has(name) || DESCRIBES_OTHERS.test(source)
    for (const statement of program.body as unknown as Node[]) {
      collect(statement, kept, isShown, isInternal)
      visit(statement, (node) => shapes.add(node))
    }
  }
  const own = [...names.keys()].filter((name) => !kept.has(name))
  own.sort((one, other) => names.get(other)! - names.get(one)!)
  return shapes.shorten(own, kept)
}

/** Every word of the module that says what the page's user may name. */
function exportedNames(folder: string): ReadonlySet<string> {
  return new Set(readFileSync(join(folder, 'client', 'src', 'exports.ts'), 'utf8').match(/\w+/g))
}

function collect(
  statement: Node,
  kept: Set<string>,
  isShown: (name: string) => boolean,
  isInternal: (start: number) => boolean,
): void {
  const declared = (statement.declaration ?? statement) as Node
  const name = nameOf(declared.id)
  const isType = declared.type.startsWith('TS')
  visit(statement, (node) => {
    if (node.type === 'Literal' && typeof node.value === 'string') kept.add(node.value)
    const isMember = node.type === 'TSPropertySignature' || node.type === 'TSMethodSignature'
    if (isMember && (!isType || isShown(name)) && !isInternal(node.start as number))
      kept.add(nameOf(node.key))
  })
  if (declared.type !== 'ClassDeclaration' || !PUBLIC_CLASS.test(name)) return
  for (const member of (declared.body as { body: Node[] }).body) {
    if (member.accessibility !== 'private' && !isInternal(member.start as number))
      kept.add(nameOf(member.key))
  }
}

/** The objects of the platform that the page's client and its parts use. */
const USED = [
  ...[
    'AbortController',
    'Array',
    'ArrayBuffer',
    'Error',
    'JSON',
    'Map',
    'Math',
    'Number',
    'Object',
    'Promise',
  ],
  ...['RegExp', 'Set', 'String', 'Symbol', 'TextDecoder', 'TextEncoder', 'URL', 'Uint8Array', 'DataView'],
  ...['AbortSignal', 'Blob', 'crypto', 'performance', 'WebSocket', 'MessageEvent', 'CloseEvent'],
]
/** Ways to make HTML of a string. */
const HTML_OF_STRINGS = ['anchor', 'big', 'blink', 'bold', 'fixed', 'link', 'small', 'strike', 'sub', 'sup']

/** What the objects of the platform have: those of Node, which are a page's too as far as both are used. */
function platformNames(): Set<string> {
  // What iterators give is in no prototype.
  const names = new Set(['done', 'value'])
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
  for (const name of USED) add((globalThis as Record<string, unknown>)[name])
  for (const name of Object.getOwnPropertyNames(globalThis)) names.add(name)
  for (const name of HTML_OF_STRINGS) names.delete(name)
  add(crypto.subtle)
  add([][Symbol.iterator]())
  return names
}
