import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lines } from './lines.ts'
import { Window } from './window.ts'

async function* chunks(bytes: Uint8Array, sizes: readonly number[]) {
  for (let from = 0, i = 0; from < bytes.length; i++) {
    const end = from + (sizes[i % sizes.length] ?? 1)
    yield bytes.subarray(from, end)
    from = end
  }
}

test('lines() gives the same lines however the input is cut, bytes and all', async () => {
  const input = fc.uint8Array({ maxLength: 60 }).map((bytes) => bytes.map((b) => (b < 80 ? 10 : b)))
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 })
  await fc.assert(
    fc.asyncProperty(input, sizes, async (bytes, cut) => {
      const text = Buffer.from(bytes).toString('latin1')
      const expected = text.split('\n')
      if (expected.at(-1) === '') expected.pop()
      const given: string[] = []
      for await (const line of lines(chunks(bytes, cut))) given.push(Buffer.from(line).toString('latin1'))
      expect(given).toEqual(expected)
    }),
  )
})

test('Window lets so many operations be under way and waits with the next', async () => {
  const window = new Window(2)
  const ends: (() => void)[] = []
  const operation = () => new Promise<void>((resolve) => ends.push(resolve))
  await window.add(operation())
  let second = false
  const waiting = window.add(operation()).then(() => (second = true))
  await Promise.resolve()
  expect(second).toBe(false)
  ends[0]?.()
  await waiting
  const emptied = window.empty()
  ends[1]?.()
  await emptied
})

test('Window fails the next call with what failed', async () => {
  const window = new Window(5)
  await window.add(Promise.reject(new Error('refused')))
  await expect(window.empty()).rejects.toThrow('refused')
  await expect(window.add(Promise.resolve())).rejects.toThrow('refused')
})
