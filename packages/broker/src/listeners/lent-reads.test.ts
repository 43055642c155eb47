import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { pair } from '../../test/socket-pair.ts'
import { readLent } from './lent-reads.ts'

describe('readLent()', () => {
  test('reads into a shared buffer; what is written, pause and the end are the same', async () => {
    const { client, accepted } = await pair()
    const chunks = collector()
    expect(readLent(accepted, chunks.add)).toBe(true)
    client.write('two')
    await chunks.until('two')
    accepted.pause()
    client.write('three')
    accepted.write('four')
    const [answer] = (await once(client, 'data')) as [Buffer]
    expect(String(answer)).toBe('four')
    expect(chunks.text()).toBe('two')
    accepted.resume()
    await chunks.until('twothree')
    client.end()
    await once(accepted, 'close')
  })

  test('a socket of another kind, or that has been read from, stays as it is', async () => {
    const { client, accepted } = await pair()
    class Other extends (accepted.constructor as typeof Socket) {}
    expect(readLent(new Other(), () => {})).toBe(false)
    client.write('early')
    await once(accepted, 'readable')
    expect(readLent(accepted, () => {})).toBe(false)
    expect(String(accepted.read())).toBe('early')
    accepted.on('data', () => {})
    expect(readLent(accepted, () => {})).toBe(false)
    accepted.destroy()
    expect(readLent(accepted, () => {})).toBe(false)
  })
})

interface Collector {
  add(chunk: Uint8Array, length: number): void
  text(): string
  until(text: string): Promise<void>
}

function collector(): Collector {
  let text = ''
  let looks: (() => void)[] = []
  return {
    add: (chunk, length) => {
      text += Buffer.from(chunk.subarray(0, length))
      for (const look of looks) look()
    },
    text: () => text,
    until: (wanted) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (text === wanted) resolve()
        }
        looks = [look]
        look()
      }),
  }
}
