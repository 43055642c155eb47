import { type AuthenticationResult, Broker, type ByteStream, type StreamOwner } from '@pipit/broker'
import { encode } from '@pipit/protocol'
import { expect, onTestFinished, test } from 'vitest'

/** A stream whose certificate says that its client is `alice`. */
class CertifiedStream implements ByteStream {
  readonly remoteAddress = 'certified:1'
  readonly tls = { username: 'alice' }
  readonly reusesChunks = false
  readonly pendingBytes = 0
  owner: StreamOwner | undefined = undefined
  write(): boolean {
    return true
  }
  pause(): void {}
  resume(): void {}
  end(): void {
    queueMicrotask(() => this.owner?.onClose(undefined))
  }
  destroy(): void {
    this.end()
  }
}

test('a hook that names nobody leaves a client the name of its certificate', async () => {
  const asked: (string | undefined)[] = []
  const broker = new Broker({
    // What a program in JavaScript may well say.
    authenticate: ({ username }) => {
      asked.push(username)
      return { reasonCode: 0, username: undefined } as unknown as AuthenticationResult
    },
  })
  onTestFinished(() => broker.close())
  const stream = new CertifiedStream()
  stream.owner = broker.accepting(stream)
  const packet = {
    protocolVersion: 5,
    clientId: 'c',
    cleanStart: true,
    keepAlive: 0,
    username: 'admin',
  } as const
  stream.owner.onChunk(encode({ type: 'CONNECT', ...packet }, 5))
  expect([...broker.clients].map(({ username }) => username)).toEqual(['alice'])
  expect(asked).toEqual(['alice'])
})
