import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { canMount } from '../../../../tools/torture/small-disk.ts'
import { afterKill, type Running, startBroker } from './brokers.ts'
import { TestClient, text } from './client.ts'
import { smallDisk } from './disk.ts'

const CLEAN = { cleanStart: true, properties: {} }

/** Gives filters to a client until the disk takes no more. @returns those that were granted */
async function subscribeUntilRefused(client: TestClient): Promise<string[]> {
  const granted: string[] = []
  for (let packetId = 1; ; packetId++) {
    // Long ones: the log has room within its file for some.
    const topicFilter = `f/${packetId}/${'x'.repeat(3000)}`
    client.send({ type: 'SUBSCRIBE', packetId, subscriptions: [{ topicFilter, qos: 1 }] })
    const [code] = (await client.next('SUBACK')).reasonCodes
    if (code === 0x97) return granted
    expect(code).toBe(1)
    granted.push(topicFilter)
  }
}

/** A disk that comes back says so in time; a message is the way to ask. */
async function untilItWorks(port: number): Promise<void> {
  const client = await TestClient.open(port, { clientId: 'asks', ...CLEAN })
  for (let code = 0x97; code === 0x97; ) {
    client.publish('asked', 'x', 1, 1, { retain: true })
    code = (await client.next('PUBACK')).reasonCode
    if (code === 0x97) await client.round()
  }
}

const filtersOf = ({ broker }: Running, clientId: string): string[] => [
  ...(broker.sessions.get(clientId)?.subscriptions?.keys() ?? []),
]

describe.skipIf(!canMount())('while the disk is full (needs root and tmpfs)', () => {
  test('SUBSCRIBE of a session that lasts is refused and changes nothing: 0x97, 0x80 in 3.x; UNSUBSCRIBE with 0x83', async () => {
    const disk = smallDisk()
    const running = await startBroker({ data: join(disk.folder, 'data') })
    const { port } = running
    const five = await TestClient.open(port, { clientId: 'five' })
    await five.subscribe('before', 1)
    const four = await TestClient.open(port, { clientId: 'four', protocolVersion: 4 })
    await four.subscribe('before', 1)
    disk.fill()
    // The first refusal finds out that the disk is full, after the subscription was made.
    const granted = await subscribeUntilRefused(five)
    expect(filtersOf(running, 'five')).toEqual(['before', ...granted])
    // Those behind it are refused beforehand, also the change of what there is.
    const subscriptions = [
      { topicFilter: 'before', qos: 0 },
      { topicFilter: 'after', qos: 0 },
    ] as const
    five.send({ type: 'SUBSCRIBE', packetId: 9, subscriptions })
    expect((await five.next('SUBACK')).reasonCodes).toEqual([0x97, 0x97])
    four.send({ type: 'SUBSCRIBE', packetId: 9, subscriptions })
    expect((await four.next('SUBACK')).reasonCodes).toEqual([0x80, 0x80])
    five.send({ type: 'UNSUBSCRIBE', packetId: 10, topicFilters: ['before', 'never'] })
    expect((await five.next('UNSUBACK')).reasonCodes).toEqual([0x83, 0x11])
    expect(filtersOf(running, 'five')).toEqual(['before', ...granted])
    expect(filtersOf(running, 'four')).toEqual(['before'])
    // UNSUBACK of 3.x cannot say no: it waits.
    four.send({ type: 'UNSUBSCRIBE', packetId: 11, topicFilters: ['before'] })
    await four.round()
    expect(four.packets).toEqual([])

    disk.free()
    await four.next('UNSUBACK')
    five.send({ type: 'UNSUBSCRIBE', packetId: 12, topicFilters: ['before'] })
    expect((await five.next('UNSUBACK')).reasonCodes).toEqual([0])
    const after = await startBroker({ data: afterKill(running) })
    expect(after.said).toEqual([])
    expect(filtersOf(after, 'five')).toEqual([...granted].sort())
    expect(filtersOf(after, 'four')).toEqual([])
  })

  test('CONNECT that would make a session that lasts is refused: 0x97, 3 in 3.x; one that is there goes on and is not begun anew', async () => {
    const disk = smallDisk()
    const running = await startBroker({ data: join(disk.folder, 'data') })
    const { port } = running
    const there = await TestClient.open(port, { clientId: 'there' })
    await there.subscribe('kept', 1)
    const live = await TestClient.open(port, { clientId: 'live', ...CLEAN })
    disk.fill()
    const granted = await subscribeUntilRefused(there)
    expect((await TestClient.open(port, { clientId: 'new' })).answer).toBe(0x97)
    expect((await TestClient.open(port, { clientId: 'new', protocolVersion: 4 })).answer).toBe(3)
    expect((await TestClient.open(port, { clientId: 'there', cleanStart: true })).answer).toBe(0x97)
    expect((await TestClient.open(port, { clientId: 'live' })).answer).toBe(0x97)
    await there.round()
    await live.round()
    const again = await TestClient.open(port, { clientId: 'there' })
    expect(again.answer).toBe(0)
    expect(filtersOf(running, 'there')).toEqual(['kept', ...granted])
    disk.free()
    await untilItWorks(port)
    expect((await TestClient.open(port, { clientId: 'new' })).answer).toBe(0)
    const after = await startBroker({ data: afterKill(running) })
    expect(filtersOf(after, 'there')).toHaveLength(1 + granted.length)
    expect(after.broker.sessions.get('new')).toBeDefined()
  })

  test('a retained message of QoS 0 is delivered, kept in memory, and written when there is space; meanwhile the disk keeps what was acknowledged', async () => {
    const disk = smallDisk()
    const running = await startBroker({ data: join(disk.folder, 'data') })
    const { port } = running
    const publisher = await TestClient.open(port, { clientId: 'p', ...CLEAN })
    publisher.publish('r/1', 'acknowledged', 1, 1, { retain: true })
    publisher.publish('r/2', 'to be cleared', 1, 2, { retain: true })
    await publisher.next('PUBACK')
    await publisher.next('PUBACK')
    const watcher = await TestClient.open(port, { clientId: 'w', ...CLEAN })
    await watcher.subscribe('r/3', 0)
    const last = await TestClient.open(port, { clientId: 'last' })
    disk.fill()
    await subscribeUntilRefused(last)
    publisher.publish('r/1', 'newer', 0, 0, { retain: true })
    publisher.publish('r/2', '', 0, 0, { retain: true })
    publisher.publish('r/3', 'live', 0, 0, { retain: true })
    publisher.publish('r/3', 'newest', 0, 0, { retain: true })
    expect(text(await watcher.next('PUBLISH'))).toBe('live')
    expect(text(await watcher.next('PUBLISH'))).toBe('newest')
    expect(await retainedBy(running)).toEqual(['r/1 newer', 'r/3 newest'])

    const meanwhile = await startBroker({ data: afterKill(running) })
    expect(await retainedBy(meanwhile)).toEqual(['r/1 acknowledged', 'r/2 to be cleared'])
    disk.free()
    await untilItWorks(port)
    publisher.publish('asked', '', 1, 9, { retain: true })
    await publisher.next('PUBACK')
    const after = await startBroker({ data: afterKill(running) })
    expect(await retainedBy(after)).toEqual(['r/1 newer', 'r/3 newest'])
  })

  test('PUBREC that was said stays said: a copy of that message is not refused, and is published once', async () => {
    const disk = smallDisk()
    const { port } = await startBroker({ data: join(disk.folder, 'data') })
    const away = await TestClient.open(port, { clientId: 'away' })
    await away.subscribe('t', 2)
    const first = await TestClient.open(port, { clientId: 'p' })
    first.publish('t', 'once', 2, 7)
    await first.next('PUBREC')
    await first.drop()
    const last = await TestClient.open(port, { clientId: 'last' })
    disk.fill()
    await subscribeUntilRefused(last)
    const second = await TestClient.open(port, { clientId: 'p' })
    second.publish('t', 'once', 2, 7, { dup: true })
    expect((await second.next('PUBREC')).reasonCode).toBe(0)
    second.publish('t', 'refused', 2, 8)
    expect((await second.next('PUBREC')).reasonCode).toBe(0x97)
    second.send({ type: 'PUBREL', packetId: 7, reasonCode: 0 })
    disk.free()
    await second.next('PUBCOMP')
    expect(text(await away.next('PUBLISH'))).toBe('once')
    await away.round()
    expect(away.packets).toEqual([])
  })
})

async function retainedBy({ port }: Running): Promise<string[]> {
  const reader = await TestClient.open(port, { clientId: 'reader', protocolVersion: 4, cleanStart: true })
  await reader.subscribe('r/#', 0)
  await reader.round()
  await reader.drop()
  return reader.packets
    .map((packet) => (packet.type === 'PUBLISH' ? `${packet.topic} ${text(packet)}` : packet.type))
    .sort()
}
