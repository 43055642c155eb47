import { Broker } from '@pipit/broker'
import type { ProtocolVersion, Publish } from '@pipit/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Peer } from './peer.ts'
import { beside, type Twin, Twins } from './twins.ts'

// `mount_point` of a mosquitto.conf: the same with our broker and with Debian's Mosquitto.

let twins: Twins
beforeEach(() => {
  twins = new Twins()
})
afterEach(() => twins.end())

const CONF = `allow_anonymous true
listener PORT 127.0.0.1
listener PORT 127.0.0.1
mount_point house/
`
const KEEP = { sessionExpiryInterval: 1000 }

/** A broker with two kinds of doors. */
class House {
  readonly name: Twin['name']
  private readonly plain: number
  private readonly mounted: number
  private readonly version: ProtocolVersion

  constructor({ name, ports: [plain = 0, mounted = 0] }: Twin, version: ProtocolVersion = 5) {
    this.name = name
    this.plain = plain
    this.mounted = mounted
    this.version = version
  }

  outside(clientId: string, options: Partial<Parameters<typeof Peer.open>[1]> = {}): Promise<Peer> {
    return Peer.open(this.plain, { clientId, protocolVersion: this.version, ...options })
  }

  inside(clientId: string, options: Partial<Parameters<typeof Peer.open>[1]> = {}): Promise<Peer> {
    return Peer.open(this.mounted, { clientId, protocolVersion: this.version, ...options })
  }

  /** What a client was sent before PINGRESP. */
  async came(peer: Peer): Promise<string[]> {
    const packets = await peer.drain()
    return packets.filter((packet) => packet.type === 'PUBLISH').map(lineOf)
  }

  /** As `came`, for one inside. Mosquitto 2.0.11 leaves the prefix on, against its manual; 2.0.12 takes it away. */
  async cameInside(peer: Peer): Promise<string[]> {
    const lines = await this.came(peer)
    return this.name === 'ours' ? lines : lines.map((line) => line.replace(/^house\//, ''))
  }
}

function lineOf({ topic, qos, retain, payload, properties }: Publish): string {
  const answer = properties?.responseTopic === undefined ? '' : ` answer to ${properties.responseTopic}`
  return `${topic} ${qos}${retain ? ' retained' : ''}${answer} ${Buffer.from(payload).toString()}`
}

describe(`the same as with Mosquitto (${beside})`, () => {
  test.each([3, 4, 5] as const)('version %i: what comes from inside is below it', async (version) => {
    for (const twin of await twins.start(CONF)) {
      const house = new House(twin, version)
      const [outside, inside] = [await house.outside('outside'), await house.inside('inside')]
      await outside.subscribe('#', 2)
      for (const qos of [0, 1] as const) {
        for (const topic of ['a', 'house/a', '/a', 'b']) inside.publish({ topic, payload: 'in', qos })
      }
      inside.publish({ topic: 'a', payload: 'in', qos: 2 })
      inside.send({ type: 'PUBREL', packetId: 5, reasonCode: 0 })
      await inside.next('PUBCOMP')
      const topics = ['house/a', 'house/house/a', 'house//a', 'house/b']
      expect([house.name, await house.came(outside)]).toEqual([
        house.name,
        [
          ...topics.map((topic) => `${topic} 0 in`),
          ...topics.map((topic) => `${topic} 1 in`),
          'house/a 2 in',
        ],
      ])
    }
  })

  test.each([3, 4, 5] as const)(
    'version %i: inside there is what is below it, and nothing else',
    async (version) => {
      for (const twin of await twins.start(CONF)) {
        const house = new House(twin, version)
        const [outside, inside] = [await house.outside('outside'), await house.inside('inside')]
        await inside.subscribe('#', 1)
        await inside.subscribe('$SYS/#', 1)
        for (const qos of [0, 1] as const) {
          for (const topic of ['house/b', 'a', 'houses/a', 'house/c/d']) {
            outside.publish({ topic, payload: 'out', qos })
          }
          await outside.drain()
        }
        expect([house.name, await house.cameInside(inside)]).toEqual([
          house.name,
          ['b 0 out', 'c/d 0 out', 'b 1 out', 'c/d 1 out'],
        ])
      }
    },
  )

  test('aliases, and Response Topics, which stay as they are', async () => {
    for (const twin of await twins.start(CONF)) {
      const house = new House(twin)
      const [outside, inside] = [await house.outside('outside'), await house.inside('inside')]
      const other = await house.inside('other', { properties: { topicAliasMaximum: 10 } })
      for (const peer of [outside, inside, other]) await peer.subscribe('#')
      inside.publish({ topic: 'a', properties: { topicAlias: 1, responseTopic: 'back' } })
      inside.publish({ topic: '', properties: { topicAlias: 1 } })
      await inside.drain()
      expect([house.name, await house.came(outside)]).toEqual([
        house.name,
        ['house/a 0 answer to back ', 'house/a 0 '],
      ])
      const [first, second] = [await other.next('PUBLISH'), await other.next('PUBLISH')]
      expect([first.topic.endsWith('a'), ['', first.topic].includes(second.topic)]).toEqual([true, true])
    }
  })

  test('retained messages and wills', async () => {
    for (const twin of await twins.start(CONF)) {
      const house = new House(twin)
      const [outside, inside] = [await house.outside('outside'), await house.inside('inside')]
      inside.publish({ topic: 'r', payload: 'kept', retain: true, qos: 1 })
      await inside.drain()
      await outside.subscribe('house/#', 1)
      expect([house.name, await house.came(outside)]).toEqual([house.name, ['house/r 1 retained kept']])
      await inside.subscribe('+', 1)
      expect([house.name, await house.cameInside(inside)]).toEqual([house.name, ['r 1 retained kept']])
      const will = { topic: 'w', payload: Buffer.from('gone'), qos: 0, retain: true } as const
      await (await house.inside('brief', { will })).cut()
      expect([house.name, lineOf(await outside.next('PUBLISH'))]).toEqual([house.name, 'house/w 0 gone'])
      const later = await house.inside('later')
      await later.subscribe('w')
      expect([house.name, await house.cameInside(later)]).toEqual([house.name, ['w 0 retained gone']])
    }
  })

  test('what waits for who is away', async () => {
    for (const twin of await twins.start(CONF)) {
      const house = new House(twin)
      const outside = await house.outside('outside')
      const away = await house.inside('away', { properties: KEEP })
      await away.subscribe('t', 1)
      await away.leave()
      outside.publish({ topic: 'house/t', payload: 'waits', qos: 1 })
      await outside.drain()
      const back = await house.inside('away', { cleanStart: false, properties: KEEP })
      expect([house.name, await house.cameInside(back)]).toEqual([house.name, ['t 1 waits']])
    }
  })

  test('an ACL has whole topics', async () => {
    twins.write('acl', 'topic readwrite house/ok\ntopic read house/read\ntopic readwrite plain\n')
    for (const twin of await twins.start(`acl_file FOLDER/acl\n${CONF}`)) {
      const house = new House(twin)
      const [outside, inside] = [await house.outside('outside'), await house.inside('inside')]
      for (const topic of ['ok', 'read', 'plain', 'house/ok']) inside.publish({ topic, qos: 1, retain: true })
      const codes = []
      for (let i = 0; i < 4; i++) codes.push((await inside.next('PUBACK')).reasonCode >= 0x80)
      expect([house.name, codes]).toEqual([house.name, [false, true, true, true]])
      const granted = []
      for (const filter of ['ok', 'read', 'plain']) granted.push((await inside.subscribe(filter))[0] === 0)
      for (const topic of ['house/ok', 'plain']) outside.publish({ topic, payload: 'out' })
      await outside.drain()
      expect([house.name, granted, await house.cameInside(inside)]).toEqual([
        house.name,
        house.name === 'ours' ? [true, true, false] : [true, true, true],
        ['ok 0 out'],
      ])
      // Mosquitto asks about a will when it publishes it, ours at CONNECT.
      if (house.name === 'theirs') continue
      const willOn = (topic: string) => ({
        will: { topic, payload: Buffer.alloc(0), qos: 0, retain: false } as const,
      })
      const wills = [await house.inside('a', willOn('ok')), await house.inside('b', willOn('plain'))]
      expect(wills.map(({ connack }) => connack?.reasonCode)).toEqual([0, 0x87])
    }
  })
})

describe('mountPoint', () => {
  async function house(): Promise<House> {
    return new House(await twins.startOurs(CONF))
  }

  test('Unsubscribing, and shared subscriptions: each within the prefix', async () => {
    const there = await house()
    const [outside, inside] = [await there.outside('outside'), await there.inside('inside')]
    await inside.subscribe('a', 1)
    inside.send({ type: 'UNSUBSCRIBE', packetId: 99, topicFilters: ['a'] })
    expect(await inside.next('UNSUBACK')).toMatchObject({ reasonCodes: [0] })
    await inside.subscribe('$share/g/s', 1)
    for (const topic of ['house/a', 's', 'house/s']) outside.publish({ topic, qos: 1 })
    await outside.drain()
    expect(await there.came(inside)).toEqual(['s 1 '])
  })

  test('the topic that is the prefix itself, or its parent, has no name inside', async () => {
    const there = await house()
    const [outside, inside] = [await there.outside('outside'), await there.inside('inside')]
    for (const topic of ['house', 'house/']) outside.publish({ topic, payload: 'kept', retain: true, qos: 1 })
    await outside.drain()
    await inside.subscribe('#', 1)
    for (const topic of ['house', 'house/']) outside.publish({ topic, qos: 1 })
    await outside.drain()
    expect(await there.came(inside)).toEqual([])
  })

  test('what a session subscribed to elsewhere does not come inside', async () => {
    const there = await house()
    const outside = await there.outside('outside')
    const before = await there.outside('moves', { properties: KEEP })
    await before.subscribe('foreign', 1)
    await before.subscribe('house/own', 1)
    await before.leave()
    for (const topic of ['foreign', 'house/own']) outside.publish({ topic, qos: 1 })
    await outside.drain()
    const inside = await there.inside('moves', { cleanStart: false, properties: KEEP })
    outside.publish({ topic: 'foreign', qos: 1 })
    await outside.drain()
    expect(await there.came(inside)).toEqual(['own 1 '])
  })

  test("a client's maximum packet size is that of the short name", async () => {
    const there = await house()
    const outside = await there.outside('outside')
    const exact = 2 + 2 + 1 + 1 + 10
    const inside = await there.inside('inside', { properties: { maximumPacketSize: exact } })
    await inside.subscribe('t')
    outside.publish({ topic: 'house/t', payload: '0123456789' })
    outside.publish({ topic: 'house/t', payload: '0123456789a' })
    await outside.drain()
    expect(await there.came(inside)).toEqual(['t 0 0123456789'])
  })

  test('a topic that is too long with it ends the connection, not the broker', async () => {
    const there = await house()
    const inside = await there.inside('inside')
    inside.publish({ topic: 'x'.repeat(65529), qos: 1 })
    expect(await inside.next('PUBACK')).toMatchObject({ reasonCode: 0x10 })
    inside.publish({ topic: 'x'.repeat(65530), qos: 1 })
    expect(await inside.next('DISCONNECT')).toMatchObject({ reasonCode: 0x81 })
    const again = await there.inside('inside')
    expect(await again.subscribe('x'.repeat(65529))).toEqual([0])
    await expect(again.subscribe('x'.repeat(65530))).rejects.toThrow('closed')
  })

  test('a prefix without a slash: as it stands; a wildcard behind it is none', async () => {
    const there = new House(await twins.startOurs(CONF.replace('house/', 'house')))
    const [outside, inside] = [await there.outside('outside'), await there.inside('inside')]
    expect(await inside.subscribe('#')).toEqual([0x8f])
    expect(await inside.subscribe('+/a')).toEqual([0x8f])
    expect(await inside.subscribe('/#')).toEqual([0])
    expect(await inside.subscribe('s')).toEqual([0])
    for (const topic of ['house/a', 'houses', 'house', 'a']) outside.publish({ topic })
    await outside.drain()
    expect(await there.came(inside)).toEqual(['/a 0 ', 's 0 '])
  })

  test.each([
    ['a wildcard', 'a/#'],
    ['a single one', '+'],
    ['a share name', '$share/g/'],
    ['too much', 'x'.repeat(65535)],
  ])('%s is none', async (_, mountPoint) => {
    const broker = new Broker({ sysInterval: 0 })
    await expect(broker.listen({ port: 0, mountPoint })).rejects.toThrow(
      /mountPoint is .* it takes the beginning of a topic/,
    )
    await broker.close()
  })
})
