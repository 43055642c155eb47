import { join } from 'node:path'
import type { Will } from '@pipit/protocol'
import { expect, test } from 'vitest'
import { checkStore } from '../../src/index.ts'
import { afterKill, type Running, startBroker } from './brokers.ts'
import { TestClient, text } from './client.ts'
import { temporaryFolder } from './kit.ts'

const START = Date.UTC(2026, 0, 1)

function willOf(payload: string, willDelayInterval = 0): Will {
  return {
    topic: 'w',
    payload: Buffer.from(payload),
    qos: 1,
    retain: false,
    properties: { willDelayInterval },
  }
}

/** A broker whose clock the test moves, with a watcher of the wills that stays away. */
async function scene(): Promise<{ running: Running; clock: { now: number } }> {
  const clock = { now: START }
  const running = await startBroker({ data: join(temporaryFolder(), 'data'), now: () => clock.now })
  const watcher = await TestClient.open(running.port, { clientId: 'watcher' })
  await watcher.subscribe('w', 1)
  await watcher.drop()
  return { running, clock }
}

/** The wills that the watcher finds. */
async function published({ port, broker }: Running): Promise<string[]> {
  broker.sweep()
  const watcher = await TestClient.open(port, { clientId: 'watcher' })
  await watcher.round()
  const wills = watcher.packets.flatMap((packet) => (packet.type === 'PUBLISH' ? [packet] : []))
  for (const { packetId } of wills) watcher.send({ type: 'PUBACK', packetId, reasonCode: 0 })
  await watcher.round()
  await watcher.drop()
  return wills.map(text)
}

/** Settles when all that was recorded so far is on the disk. */
async function onDisk({ port }: Running): Promise<void> {
  const client = await TestClient.open(port, { clientId: 'sync', cleanStart: true, properties: {} })
  client.publish('sync', 'x', 1, 1, { retain: true })
  await client.next('PUBACK')
}

async function restarted(running: Running, clock: { now: number }): Promise<Running> {
  return startBroker({ data: afterKill(running), now: () => clock.now })
}

test('CONNACK to a session that lasts says that its will is on the disk: after a kill it is published, without a delay at once', async () => {
  const { running, clock } = await scene()
  await TestClient.open(running.port, { clientId: 'c', will: willOf('dead') })
  const after = await restarted(running, clock)
  expect(await published(after)).toEqual(['dead'])
  await onDisk(after)
  const again = await restarted(after, clock)
  expect(await published(again)).toEqual([])
})

test('its delay counts from the restart, and no will comes when the client is back before it has passed', async () => {
  const { running, clock } = await scene()
  await TestClient.open(running.port, { clientId: 'stays away', will: willOf('dead', 60) })
  await TestClient.open(running.port, { clientId: 'comes back', will: willOf('alive', 60) })
  clock.now += 600_000
  const after = await restarted(running, clock)
  expect(await published(after)).toEqual([])
  clock.now += 59_000
  await TestClient.open(after.port, { clientId: 'comes back' })
  expect(await published(after)).toEqual([])
  clock.now += 2_000
  expect(await published(after)).toEqual(['dead'])
})

test('a will is on the disk as long as it may have to be published: DISCONNECT takes it away, another one takes its place', async () => {
  const { running, clock } = await scene()
  const leaves = await TestClient.open(running.port, { clientId: 'leaves', will: willOf('not this', 5) })
  leaves.send({ type: 'DISCONNECT', reasonCode: 0 })
  const first = await TestClient.open(running.port, { clientId: 'changes', will: willOf('nor this', 5) })
  await TestClient.open(running.port, { clientId: 'changes', will: willOf('but this', 5) })
  await expect(first.next('PUBACK')).rejects.toThrow('ended')
  await TestClient.open(running.port, {
    clientId: 'ends',
    will: willOf('clean', 5),
    cleanStart: true,
    properties: {},
  })
  await onDisk(running)
  expect(checkStore(afterKill(running))).toMatchObject({ wills: 1, faults: [] })
  const after = await restarted(running, clock)
  clock.now += 6_000
  expect(await published(after)).toEqual(['but this'])
})

test('a session that ends with its connection but lasted before: its will is published after a kill', async () => {
  const { running, clock } = await scene()
  await (await TestClient.open(running.port, { clientId: 'c' })).drop()
  await TestClient.open(running.port, { clientId: 'c', will: willOf('dead', 60), properties: {} })
  const after = await restarted(running, clock)
  expect(await published(after)).toEqual(['dead'])
  expect(after.broker.sessions.get('c')).toBeUndefined()
})

test.each([
  ['its delay has passed', 3600],
  ['its session ends', 5],
])(
  'a will that hooks are asked about stays on the disk until they have answered: %s',
  async (_, sessionExpiryInterval) => {
    const clock = { now: START }
    let answer: () => void = () => undefined
    let asked: () => void = () => undefined
    const isAsked = new Promise<void>((resolve) => (asked = resolve))
    const running = await startBroker({
      data: join(temporaryFolder(), 'data'),
      now: () => clock.now,
      onPublish: ({ clientId }) => {
        if (clientId !== 'c') return undefined
        asked()
        return new Promise<undefined>((resolve) => (answer = () => resolve(undefined)))
      },
    })
    const watcher = await TestClient.open(running.port, { clientId: 'watcher' })
    await watcher.subscribe('w', 1)
    const properties = { sessionExpiryInterval }
    const client = await TestClient.open(running.port, {
      clientId: 'c',
      will: willOf('asked about', 5),
      properties,
    })
    await client.drop()
    await watcher.round()
    clock.now += 6_000
    running.broker.sweep()
    await isAsked
    await onDisk(running)
    const meanwhile = await startBroker({ data: afterKill(running), now: () => clock.now })
    expect(await published(meanwhile)).toEqual(['asked about'])
    answer()
    expect(text(await watcher.next('PUBLISH'))).toBe('asked about')
    await onDisk(running)
    expect(checkStore(afterKill(running))).toMatchObject({ wills: 0, faults: [] })
  },
)
