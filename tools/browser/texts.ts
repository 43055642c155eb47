// Cuts the texts of errors down to what a page is told: `code` and reason code of the client's own errors say
// what happened; of wrong use, and of what is not supported, the first word or value of the text says where.
import { parseSync } from 'rolldown/utils'
import { type Node, nameOf, visit } from './shapes.ts'

/** Errors whose texts begin with the name of what is wrong. */
const NAMING = /^(TypeError|RangeError|NotSupportedError)$/

interface Span {
  readonly start: number
  readonly end: number
}

/** A module with shorter texts of its errors. */
export function withoutTexts(text: string): string {
  const cuts: (Span & { readonly by: string })[] = []
  const { program } = parseSync('module.ts', text, { lang: 'ts' })
  visit(program as unknown as Node, (node) => {
    const name = nameOf(node.callee)
    if (node.type !== 'NewExpression' || !name.endsWith('Error')) return
    const [message] = node.arguments as (Node & Span)[]
    if (message === undefined) return
    const by = NAMING.test(name) ? headOf(message, text) : "''"
    cuts.push({ start: message.start, end: message.end, by })
  })
  for (const { start, end, by } of cuts.toReversed()) text = text.slice(0, start) + by + text.slice(end)
  // The class's own name is a letter in this build, too.
  return text
    .replace('new.target.name', "'MqttError'")
    .replace(
      'super(message, options.cause',
      "super(code + ' ' + (message || options.reasonCode || ''), options.cause",
    )
}

/** What a text may begin with. */
const BEFORE = /^(?:(?:no|add) |[A-Z]+: )?/

/** The source of the first word or value of a text. */
function headOf(message: Node & Span, text: string): string {
  const quasis = (message.quasis ?? []) as { value: { cooked: string } }[]
  const words = String(quasis[0]?.value.cooked ?? message.value ?? '')
  const [word] = words.replace(BEFORE, '').split(/[ :]/, 1)
  if (word !== '') return JSON.stringify(word)
  const { start, end } = (message.expressions as Span[] | undefined)?.[0] ?? message
  return text.slice(start, end)
}
