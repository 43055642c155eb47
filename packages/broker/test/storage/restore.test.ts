import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SqliteEngine } from '../../src/storage/sqlite-engine.ts'
import { afterKill, startBroker } from './brokers.ts'
import { TestClient, text } from './client.ts'
import { temporaryFolder } from './kit.ts'

async function fresh() {
  return startBroker({ data: join(temporaryFolder(), 'data') })
}

test('sessions and subscriptions come back, and with them whether a session is present', async () => {
  const first = await fresh()
  const client = await TestClient.open(first.port, { clientId: 'c' })
  await client.subscribe('a/#', 1)
  const second = await startBroker({ data: afterKill(first) })
  const again = await TestClient.open(second.port, { clientId: 'c' })
  again.publish('a/b', 'hello', 1, 1)
  expect(text(await again.next('PUBLISH'))).toBe('hello')
  const third = await TestClient.open(second.port, { clientId: 'd' })
  expect(third.ended).toBe(false)
  expect(second.broker.sessions.get('c')?.subscriptions?.size).toBe(1)
})

test('what was queued comes in its order, with identifiers that grow, and once', async () => {
  const first = await fresh()
  const away = await TestClient.open(first.port, { clientId: 'away' })
  await away.subscribe('q', 2)
  await away.drop()
  const publisher = await TestClient.open(first.port, { clientId: 'p', protocolVersion: 4 })
  for (let i = 1; i <= 50; i++) publisher.publish('q', `${i}`, 1, i)
  for (let i = 1; i <= 50; i++) expect((await publisher.next('PUBACK')).packetId).toBe(i)
  const second = await startBroker({ data: afterKill(first) })
  const back = await TestClient.open(second.port, { clientId: 'away' })
  const got: string[] = []
  for (let i = 1; i <= 50; i++) {
    const publish = await back.next('PUBLISH')
    got.push(text(publish))
    back.send({ type: 'PUBACK', packetId: publish.packetId, reasonCode: 0 })
  }
  expect(got).toEqual(Array.from({ length: 50 }, (_, i) => `${i + 1}`))
  await back.round()
  expect(back.packets).toEqual([])
  expect(second.broker.sessions.get('away')?.queuedMessages).toBe(0)
})

test('a QoS 2 message in flight comes again with its identifier and DUP; after PUBREC only PUBREL does', async () => {
  const first = await fresh()
  const receiver = await TestClient.open(first.port, { clientId: 'r' })
  await receiver.subscribe('t', 2)
  const publisher = await TestClient.open(first.port, { clientId: 'p' })
  publisher.publish('t', 'one', 2, 9)
  await publisher.next('PUBREC')
  publisher.send({ type: 'PUBREL', packetId: 9, reasonCode: 0 })
  const { packetId } = await receiver.next('PUBLISH')
  const inFlight = afterKill(first)
  receiver.send({ type: 'PUBREC', packetId, reasonCode: 0 })
  await receiver.next('PUBREL')
  const released = afterKill(first)

  const second = await startBroker({ data: inFlight })
  const again = await TestClient.open(second.port, { clientId: 'r' })
  expect(await again.next('PUBLISH')).toMatchObject({ packetId, dup: true, qos: 2 })

  const third = await startBroker({ data: released })
  const later = await TestClient.open(third.port, { clientId: 'r' })
  expect((await later.next('PUBREL')).packetId).toBe(packetId)
  later.send({ type: 'PUBCOMP', packetId, reasonCode: 0 })
  await later.round()
  expect(later.packets).toEqual([])
})

test('a QoS 2 message that was received is published when it is released after the crash, and only once', async () => {
  const first = await fresh()
  const receiver = await TestClient.open(first.port, { clientId: 'r' })
  await receiver.subscribe('t', 1)
  const publisher = await TestClient.open(first.port, { clientId: 'p' })
  publisher.publish('t', 'held', 2, 5)
  await publisher.next('PUBREC')
  const second = await startBroker({ data: afterKill(first) })
  const p = await TestClient.open(second.port, { clientId: 'p' })
  const r = await TestClient.open(second.port, { clientId: 'r' })
  // Its PUBREC may not have come: the copy is no second message.
  p.publish('t', 'held', 2, 5, { dup: true })
  await p.next('PUBREC')
  p.send({ type: 'PUBREL', packetId: 5, reasonCode: 0 })
  await p.next('PUBCOMP')
  const third = await startBroker({ data: afterKill(second) })
  expect(text(await r.next('PUBLISH'))).toBe('held')
  await r.round()
  expect(r.packets).toEqual([])
  // PUBREL again, as if PUBCOMP had been lost: nothing is published.
  const last = await TestClient.open(third.port, { clientId: 'p' })
  last.send({ type: 'PUBREL', packetId: 5, reasonCode: 0 })
  await last.next('PUBCOMP')
  expect(third.broker.sessions.get('r')?.queuedMessages).toBe(0)
})

test('retained messages come back, the last one of each topic, and cleared topics stay clear', async () => {
  const first = await fresh()
  const publisher = await TestClient.open(first.port, { clientId: 'p', protocolVersion: 4 })
  publisher.publish('r/1', 'old', 1, 1, { retain: true })
  publisher.publish('r/1', 'new', 1, 2, { retain: true })
  publisher.publish('r/2', 'gone', 1, 3, { retain: true })
  publisher.publish('r/2', '', 1, 4, { retain: true })
  for (let i = 0; i < 4; i++) await publisher.next('PUBACK')
  const second = await startBroker({ data: afterKill(first) })
  const reader = await TestClient.open(second.port, { clientId: 'reader', protocolVersion: 4 })
  await reader.subscribe('r/#', 0)
  await reader.round()
  const found = reader.packets.map((packet) =>
    packet.type === 'PUBLISH' ? `${packet.topic} ${text(packet)}` : packet.type,
  )
  expect(found).toEqual(['r/1 new'])
})

test('a will with a delay is published when the delay has passed, though the broker was killed meanwhile', async () => {
  let now = Date.now()
  const data = join(temporaryFolder(), 'data')
  const first = await startBroker({ data, now: () => now })
  const will = {
    topic: 'w',
    payload: Buffer.from('dead'),
    qos: 1,
    retain: false,
    properties: { willDelayInterval: 60 },
  } as const
  const owner = await TestClient.open(first.port, { clientId: 'owner', will })
  const watcher = await TestClient.open(first.port, { clientId: 'watcher' })
  await watcher.subscribe('w', 1)
  await owner.drop()
  await watcher.round()
  // Something acknowledged behind it says that it is on the disk.
  watcher.publish('w2', 'x', 1, 1, { retain: true })
  await watcher.next('PUBACK')
  const second = await startBroker({ data: afterKill(first), now: () => now })
  const again = await TestClient.open(second.port, { clientId: 'watcher' })
  second.broker.sweep()
  await again.round()
  expect(again.packets).toEqual([])
  now += 61_000
  second.broker.sweep()
  expect(text(await again.next('PUBLISH'))).toBe('dead')
})

test('a session whose time has passed while the broker was down is gone', async () => {
  let now = Date.now()
  const first = await startBroker({ data: join(temporaryFolder(), 'data'), now: () => now })
  const client = await TestClient.open(first.port, {
    clientId: 'c',
    properties: { sessionExpiryInterval: 10 },
  })
  await client.subscribe('a', 1)
  await client.drop()
  const other = await TestClient.open(first.port, { clientId: 'o' })
  other.publish('a', 'x', 1, 1)
  await other.next('PUBACK')
  now += 11_000
  const second = await startBroker({ data: afterKill(first), now: () => now })
  second.broker.sweep()
  expect(second.broker.sessions.get('c')).toBeUndefined()
  await TestClient.open(second.port, { clientId: 'c' })
  const third = await startBroker({ data: afterKill(second), now: () => now })
  expect(third.broker.sessions.get('c')?.queuedMessages).toBe(0)
})

test('a message that has expired is not delivered after the restart', async () => {
  let now = Date.now()
  const first = await startBroker({ data: join(temporaryFolder(), 'data'), now: () => now })
  const away = await TestClient.open(first.port, { clientId: 'away' })
  await away.subscribe('e', 1)
  await away.drop()
  const publisher = await TestClient.open(first.port, { clientId: 'p' })
  publisher.publish('e', 'short', 1, 1, { properties: { messageExpiryInterval: 5 } })
  publisher.publish('e', 'long', 1, 2, {
    properties: { messageExpiryInterval: 100, userProperties: [['k', 'v']] },
  })
  await publisher.next('PUBACK')
  await publisher.next('PUBACK')
  now += 20_000
  const second = await startBroker({ data: afterKill(first), now: () => now })
  const back = await TestClient.open(second.port, { clientId: 'away' })
  const got = await back.next('PUBLISH')
  expect(text(got)).toBe('long')
  expect(got.properties).toMatchObject({ messageExpiryInterval: 80, userProperties: [['k', 'v']] })
})

test('shared messages of a session that ends after the restart go to another member', async () => {
  const first = await fresh()
  const a = await TestClient.open(first.port, { clientId: 'a' })
  await a.subscribe('$share/g/s', 1)
  await a.drop()
  const publisher = await TestClient.open(first.port, { clientId: 'p' })
  publisher.publish('s', 'work', 1, 1)
  await publisher.next('PUBACK')
  const second = await startBroker({ data: afterKill(first) })
  const b = await TestClient.open(second.port, { clientId: 'b' })
  await b.subscribe('$share/g/s', 1)
  await TestClient.open(second.port, { clientId: 'a', cleanStart: true })
  expect(text(await b.next('PUBLISH'))).toBe('work')
})

test('shared messages are not lost when their member leaves and nobody else shares', async () => {
  const first = await fresh()
  const a = await TestClient.open(first.port, { clientId: 'a' })
  await a.subscribe('$share/g/one', 1)
  await a.subscribe('$share/h/two', 1)
  const b = await TestClient.open(first.port, { clientId: 'b' })
  await b.subscribe('$share/g/one', 1)
  const publisher = await TestClient.open(first.port, { clientId: 'p' })
  publisher.publish('two', 'only a', 1, 1)
  await publisher.next('PUBACK')
  // b shares the first subscription with a, and has no part in the second.
  await a.drop()
  const back = await TestClient.open(first.port, { clientId: 'a' })
  expect(text(await back.next('PUBLISH'))).toBe('only a')
})

test('a session that ends with more in its queue than a call takes arguments is gone, in memory and on the disk', async () => {
  const first = await startBroker({ data: join(temporaryFolder(), 'data'), durability: 'off' })
  const away = await TestClient.open(first.port, { clientId: 'away' })
  await away.subscribe('q', 1)
  await away.drop()
  const { sessions } = first.broker
  while (sessions.get('away')?.online === true) await new Promise((resolve) => setImmediate(resolve))
  for (let i = 0; i < 150_000; i++) first.broker.publish('q', 'x', { qos: 1 })
  expect(sessions.get('away')?.queuedMessages).toBe(150_000)
  const back = await TestClient.open(first.port, { clientId: 'away', cleanStart: true })
  await back.round()
  expect(sessions.get('away')?.queuedMessages).toBe(0)
  expect(first.broker.queueTotals.messages).toBe(0)
})

test('a QoS 2 message that its session never released leaves nothing in the store', async () => {
  const first = await fresh()
  const client = await TestClient.open(first.port, { clientId: 'c' })
  client.publish('t', 'never released', 2, 1)
  await client.next('PUBREC')
  await client.drop()
  const anew = await TestClient.open(first.port, { clientId: 'c', cleanStart: true })
  await anew.subscribe('x', 1)
  const { checkStore } = await import('../../src/index.ts')
  expect(checkStore(afterKill(first))).toMatchObject({ messages: 0, faults: [] })
})

test('durability by filter: with interval, a topic set to always waits for the disk; one set to off is not kept', async () => {
  const first = await startBroker({
    data: join(temporaryFolder(), 'data'),
    durability: 'interval',
    durabilityIntervalMs: 3_600_000,
    durabilityByFilter: [
      { filter: 'must/#', durability: 'always' },
      { filter: 'lost/#', durability: 'off' },
    ],
  })
  const away = await TestClient.open(first.port, { clientId: 'away' })
  await away.subscribe('#', 1)
  await away.drop()
  const publisher = await TestClient.open(first.port, { clientId: 'p' })
  publisher.publish('lost/1', 'a', 1, 1)
  publisher.publish('must/1', 'b', 1, 2)
  await publisher.next('PUBACK')
  await publisher.next('PUBACK')
  const second = await startBroker({ data: afterKill(first) })
  const back = await TestClient.open(second.port, { clientId: 'away' })
  expect(text(await back.next('PUBLISH'))).toBe('b')
  await back.round()
  expect(back.packets).toEqual([])
})

test('of two that come at once with one identifier the last one has the session, whose time does not run', async () => {
  const first = await fresh()
  await (await TestClient.open(first.port, { clientId: 'c' })).drop()
  // Both are let in by the same commit.
  const both = await Promise.allSettled([1, 2].map(() => TestClient.open(first.port, { clientId: 'c' })))
  const there = both.flatMap((each) => (each.status === 'fulfilled' && !each.value.ended ? [each.value] : []))
  for (const each of there) {
    each.publish('sync', 'x', 1, 1, { retain: true })
    await Promise.race([each.next('PUBACK'), each.next('DISCONNECT')])
  }
  const copy = afterKill(first)
  const engine = new SqliteEngine(copy, { sync: false })
  const { sessions } = engine.load()
  engine.close()
  expect(sessions).toMatchObject([{ clientId: 'c', expiresAt: Number.POSITIVE_INFINITY }])
})
