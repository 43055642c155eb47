import { describe, expect, test } from 'vitest'
import { Message } from './message.ts'

const hello = () => Message.of('greetings/world', Buffer.from('hello'), 1, false, undefined, undefined, 0)

describe('Message.form()', () => {
  test.each([
    [4, false],
    [4, true],
    [5, false],
    [5, true],
  ] as const)('keeps topic and payload when made anew for version %i, identifier %s', (version, withId) => {
    const form = hello().form(version, withId)
    expect(Buffer.from(form.payload).toString()).toBe('hello')
    expect(Buffer.from(form.bytes.subarray(form.start)).indexOf('greetings/world')).toBe(4)
  })

  test('knows where the identifier stands', () => {
    const { bytes, idOffset, payloadStart } = hello().form(5, true)
    expect([...bytes.subarray(idOffset, idOffset + 2)]).toEqual([0, 1])
    expect(payloadStart).toBe(idOffset + 3)
  })
})
