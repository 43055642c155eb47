import { parseSync } from 'rolldown/utils'
import { expect, it } from 'vitest'
import { markPrivates } from './privates.ts'
import { type Node, Shapes, visit } from './shapes.ts'
import { withoutTexts } from './texts.ts'

/** Short names for the names in some declarations. */
function shorten(text: string, ...names: string[]): Record<string, string> {
  const shapes = new Shapes()
  const { program } = parseSync('module.ts', text, { lang: 'ts' })
  visit(program as unknown as Node, (node) => shapes.add(node))
  return shapes.shorten(names, new Set())
}

it('gives the same letter to names that no object has both, and to no others', () => {
  const { one, two, other } = shorten(
    'class A { one = 1; two = 2 } interface B { other: 1 }',
    'one',
    'two',
    'other',
  )
  expect(one).not.toBe(two)
  expect(other).toBe(one)
})

it('keeps apart what a class has from its base, its interface and an intersection', () => {
  const source =
    'interface I { a: 1 } class B { b = 1 } class C extends B implements I { c = 1 } type T = C & { d: 1 }'
  expect(new Set(Object.values(shorten(source, 'a', 'b', 'c', 'd'))).size).toBe(4)
})

it('gives a name that an object may lack a letter of its own', () => {
  const { maybe, other } = shorten('interface A { maybe?: 1 } interface B { other: 1 }', 'maybe', 'other')
  expect(other).not.toBe(maybe)
})

it('marks private members of `this`, and nothing else of that name', () => {
  const source = 'class A { private x = 1; y(o: { x: 1 }) { const { x } = this; return this.x + o.x + x } }'
  const marked =
    'class A { private x_ = 1; y(o: { x: 1 }) { const { x_: x } = this; return this.x_ + o.x + x } }'
  expect(markPrivates(source)).toBe(marked)
})

it('leaves texts of errors out, and says what is wrong', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the text is source.
  expect(withoutTexts('throw new RangeError(`${what} is no number`)')).toBe('throw new RangeError(what)')
  expect(withoutTexts("throw new TypeError('version is odd')")).toBe('throw new TypeError("version")')
  expect(withoutTexts("throw new ProtocolError('too much', 0x93)")).toBe('throw new ProtocolError(0x93)')
})
