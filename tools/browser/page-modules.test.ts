// The client's tests once more, with the modules that a page has in place of Node's: bundle.ts.
import { describe, expect, it, vi } from 'vitest'
import { open } from '../../packages/client/src/index.ts'
import { PacketTransport } from '../../packages/client/src/transport/page-packet-transport.ts'
import { memoryBroker } from '../../packages/client/test/scripted-broker.ts'
import { Parser } from '../../packages/protocol/src/small/parser.ts'

vi.mock('../../packages/client/src/fifo.ts', () => import('../../packages/client/src/page-fifo.ts'))
vi.mock(
  '../../packages/client/src/keep-alive-loop.ts',
  () => import('../../packages/client/src/page-keep-alive-loop.ts'),
)
vi.mock('../../packages/client/src/transport/packet-transport.ts', async () => {
  // It goes with the small codec; the broker of the tests has the whole one.
  vi.doMock('@pipit/protocol', () => import('../../packages/protocol/src/small/index.ts'))
  const page = await import('../../packages/client/src/transport/page-packet-transport.ts')
  vi.doUnmock('@pipit/protocol')
  return page
})

describe("A page's modules", () => {
  it('are those that run here', async () => {
    const written = vi.spyOn(PacketTransport.prototype, 'writePacket')
    const pushed = vi.spyOn(Parser.prototype, 'push')
    const broker = memoryBroker()
    const client = open('mqtt://broker', { transport: broker.transport })
    const peer = await broker.accept()
    await peer.welcome()
    await client.close({ force: true })
    expect(written).toHaveBeenCalled()
    expect(pushed).toHaveBeenCalled()
    vi.restoreAllMocks()
  })
})

await import('../../packages/client/test/session.test.ts')
await import('../../packages/client/test/reconnect.test.ts')
await import('../../packages/client/test/hostile.test.ts')
