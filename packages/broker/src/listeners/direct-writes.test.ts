import { once } from 'node:events'
import { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { pair } from '../../test/socket-pair.ts'
import { type DirectWrites, directWrites } from './direct-writes.ts'

describe('directWrites()', () => {
  test('what the kernel does not take at once arrives whole and in order, and is said to be taken', async () => {
    const { client, accepted } = await pair()
    const { direct, taken } = await ready(accepted, client)
    client.pause()
    const parts: Buffer[] = []
    for (let i = 0; ; i++) {
      parts.push(Buffer.alloc(65536, i))
      if (!direct.write(parts.at(-1)!)) break
    }
    expect(direct.pendingBytes).toBeGreaterThan(0)
    // Behind what waits, through the stream and directly.
    accepted.write('stream')
    direct.write(Buffer.from('direct'))
    const expected = Buffer.concat([...parts, Buffer.from('streamdirect')])
    const received: Buffer[] = []
    let size = 0
    const all = new Promise<void>((resolve) => {
      client.on('data', (chunk: Buffer) => {
        received.push(chunk)
        size += chunk.length
        if (size === expected.length) resolve()
      })
    })
    client.resume()
    await Promise.all([all, taken])
    expect(Buffer.concat(received).equals(expected)).toBe(true)
    expect(direct.pendingBytes).toBe(0)
    expect(direct.write(Buffer.from('more'))).toBe(true)
  })

  test('a peer that is gone is told, once something is written', async () => {
    const { client, accepted } = await pair()
    const { direct, failed } = await ready(accepted, client)
    accepted.on('error', ignore)
    const closed = new Promise((resolve) => accepted.on('close', resolve))
    client.resetAndDestroy()
    await closed
    expect(direct.write(Buffer.from('nobody'))).toBe(true)
    expect(((await failed) as NodeJS.ErrnoException).code).toMatch(/^E/)
  })

  test('what is no socket of a kernel has none', () => {
    expect(directWrites(new Socket(), { taken: ignore, failed: ignore })).toBeUndefined()
  })
})

interface Ready {
  readonly direct: DirectWrites
  readonly taken: Promise<void>
  readonly failed: Promise<Error>
}

/** Direct writes behind a first one of Node's own. */
async function ready(accepted: Socket, client: Socket): Promise<Ready> {
  const taken = Promise.withResolvers<void>()
  const failed = Promise.withResolvers<Error>()
  const direct = directWrites(accepted, { taken: taken.resolve, failed: failed.resolve })!
  accepted.write(Buffer.from('first'))
  await once(client, 'data')
  client.removeAllListeners('data')
  expect(direct.isReady).toBe(true)
  return { direct, taken: taken.promise, failed: failed.promise }
}

function ignore(): void {}
