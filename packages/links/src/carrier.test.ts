import { type Message, type MqttClient, SessionEndedError, StoreError } from '@pipit/client'
import { expect, test } from 'vitest'
import { Carrier } from './carrier.ts'

/** Carries one message to an end whose `publish` rejects; gives what the link says, and who was acknowledged. */
async function carry(
  state: MqttClient['state'],
  error: Error,
): Promise<{ lines: string[]; taken: string[] }> {
  const lines: string[] = []
  const taken: string[] = []
  const end = { state, publish: () => Promise.reject(error) } as unknown as MqttClient
  const carrier = new Carrier(end, {
    log: (line) => lines.push(line),
    unable: (error) => lines.push(String(error)),
    ended: new AbortController().signal,
  })
  for (const topic of ['a', 'b']) {
    const message = { payload: new Uint8Array(0), qos: 1, acknowledge: () => taken.push(topic) }
    carrier.carry({ message: message as unknown as Message, topic, retain: false, properties: {} })
  }
  while (carrier.pending > 0) await Promise.resolve()
  return { lines, taken }
}

test('what the end would not have is dropped, and acknowledged so that it does not come again', async () => {
  const { lines, taken } = await carry('connected', new RangeError('too large'))
  expect(taken).toEqual(['a', 'b'])
  expect(lines).toHaveLength(2)
})

test.each([
  ['whose store has failed', 'connected', new StoreError('the disk is full')],
  ['that has ended for good', 'closed', new SessionEndedError('the client was closed')],
] as const)('an end %s leaves messages with their sender, and says so once', async (_, state, error) => {
  const { lines, taken } = await carry(state, error)
  expect(taken).toEqual([])
  expect(lines).toEqual([expect.stringContaining(error.message)])
})
