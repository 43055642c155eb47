// Cuts the texts of errors down to what a page is told: `code` and reason code of the client's own errors say
// what happened; of wrong use, and of what is not supported, the first word or value of the text says where.
import { parseSync } from 'rolldown/utils'
import { type Node, nameOf, visit } from './shapes.ts'

/** Errors whose texts begin with the name of what is wrong. */
const NAMING = /^(TypeError|RangeError|NotSupportedError)$/

/** Functions whose last argument is for such a text. */
const SAYING = /^(watch|refused)$/

interface Span {
  readonly start: number
  readonly end: number
}

/** A module with shorter texts of its errors. */
export function withoutTexts(text: string): string {
  const cuts: (Span & { readonly by: string })[] = []
  const { program } = parseSync('module.ts', text, { lang: 'ts' })
  visit(program as unknown as Node, (node) => {
    if (node.type === 'VariableDeclaration' && describes(node))
      cuts.push({ ...spanOf(node as Node & Span), by: '' })
    const name = nameOf(node.callee)
    if (node.type === 'CallExpression' && SAYING.test(name)) {
      const [before, last] = (node.arguments as (Node & Span)[]).slice(-2)
      cuts.push({ start: before!.end, end: last!.end, by: '' })
    }
    if (node.type !== 'NewExpression' || !name.endsWith('Error')) return
    const [message, next] = node.arguments as (Node & Span)[]
    if (message === undefined) return
    if (NAMING.test(name)) cuts.push({ ...spanOf(message), by: headOf(message, text) })
    else if (name === 'Error') cuts.push({ ...spanOf(message), by: "''" })
    else cuts.push({ start: message.start, end: next?.start ?? (node as Node & Span).end - 1, by: '' })
  })
  cuts.sort((one, other) => one.start - other.start || other.end - one.end)
  let less = ''
  let from = 0
  for (const { start, end, by } of cuts) {
    // One within another goes with it.
    if (start < from) continue
    less += text.slice(from, start) + by
    from = end
  }
  less += text.slice(from)
  return less.replace(/^(?:export )?class \w+Error extends [\s\S]*?^}/gm, withoutMessage)
}

/** A class of errors whose constructor takes no text. Its own name is a letter in this build, too. */
function withoutMessage(declared: string): string {
  if (declared.includes('NotSupportedError')) return declared
  return declared
    .replace(/super\(message, .*/, "super(code + ' ' + (message || options.reasonCode || ''), options)")
    .replace(/(constructor\(\s*)message: string,?\s*/, '$1')
    .replace(/(super\('\w+'), message/, '$1, 0')
    .replace(/^.*\bname = '.*\n/m, '')
    .replace(/super\(`[\s\S]*?`\)$/m, 'super()')
    .replace('new.target.name', "'MqttError'")
}

/** What a text may begin with. */
const BEFORE = /^(?:(?:no|add) |[A-Z]+: )?/

/** Says whether a declaration holds a text about a reason code, for an error. */
function describes(node: Node): boolean {
  const [declared] = node.declarations as { init: Node | null }[]
  return nameOf(declared?.init?.callee) === 'describeReason'
}

function spanOf({ start, end }: Span): Span {
  return { start, end }
}

/** The source of the first word or value of a text. */
function headOf(message: Node & Span, text: string): string {
  const quasis = (message.quasis ?? []) as { value: { cooked: string } }[]
  const words = String(quasis[0]?.value.cooked ?? message.value ?? '')
  const [word] = words.replace(BEFORE, '').split(/[ :;]/, 1)
  if (word !== '') return JSON.stringify(word)
  const { start, end } = (message.expressions as Span[] | undefined)?.[0] ?? message
  return text.slice(start, end)
}
