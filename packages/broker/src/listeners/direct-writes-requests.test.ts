import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { directWrites } from './direct-writes.ts'

/** A request as Node has them: in use from a write that was not taken at once until that is told. */
class Request {
  inUse = false
  oncomplete = (_status: number): void => undefined

  getAsyncId(): number {
    return this.inUse ? 7 : -1
  }
}

test('a request that is in use goes along with no other write, though its bytes are gone already', () => {
  const used: Request[] = []
  let takesPart = false
  class Handle {
    writeBuffer(request: Request): number {
      if (request.inUse) throw new Error('the process would have ended here')
      request.inUse = takesPart
      used.push(request)
      return 0
    }
  }
  const handle = new Handle()
  const told: string[] = []
  const writer = { taken: () => void told.push('taken'), failed: () => void told.push('failed') }
  const direct = directWrites({ _handle: handle } as unknown as Socket, writer)!
  // Node's own first write.
  handle.writeBuffer(new Request())
  expect(direct.isReady).toBe(true)
  const bytes = new Uint8Array(10)
  expect([direct.write(bytes), direct.write(bytes)]).toEqual([true, true])
  expect(used[1]).toBe(used[2])
  takesPart = true
  expect([direct.write(bytes), direct.write(bytes)]).toEqual([false, false])
  expect(direct.pendingBytes).toBe(20)
  takesPart = false
  expect(direct.write(bytes)).toBe(true)
  expect(told).toEqual([])
  for (const request of [used[3]!, used[4]!]) request.oncomplete(0)
  expect(told).toEqual(['taken'])
  expect(direct.pendingBytes).toBe(0)
})
