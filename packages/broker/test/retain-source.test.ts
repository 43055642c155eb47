import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Peer, payloads } from './peer.ts'
import { beside, Twins } from './twins.ts'

// Retained messages of clients that may no longer publish them.

let twins: Twins
beforeEach(() => {
  twins = new Twins()
})
afterEach(() => twins.end())

const RULES = 'allow_anonymous true\nacl_file FOLDER/acl\nlistener PORT 127.0.0.1\n'
const OPEN = `check_retain_source true\n${RULES}`
const MAY =
  'topic readwrite nobodys\nuser reader\ntopic read #\nuser writer\ntopic write w/#\ntopic write x\n'
const MAY_NOT = MAY.replace('topic write w/#\n', '').replace('readwrite nobodys', 'read nobodys')

/** Topics that a new reader is shown. */
async function shown(port: number, clientId = 'r'): Promise<string[]> {
  const reader = await Peer.open(port, { clientId, username: 'reader' })
  await reader.subscribe('#', 1)
  const packets = await reader.drain()
  await reader.leave()
  return packets.flatMap((packet) => (packet.type === 'PUBLISH' ? [packet.topic] : [])).sort()
}

async function retain(port: number): Promise<void> {
  const writer = await Peer.open(port, { clientId: 'w', username: 'writer' })
  for (const topic of ['w/1', 'w/2', 'x']) writer.publish({ topic, payload: topic, qos: 1, retain: true })
  const nobody = await Peer.open(port, { clientId: 'n' })
  nobody.publish({ topic: 'nobodys', payload: 'n', qos: 1, retain: true })
  for (const peer of [writer, nobody]) {
    await peer.drain()
    await peer.leave()
  }
}

const ALL = ['nobodys', 'w/1', 'w/2', 'x']

describe(`check_retain_source, as with Mosquitto (${beside})`, () => {
  test.each([
    ['check_retain_source true\n', ['x']],
    ['check_retain_source false\n', ALL],
  ])('%j: who may no longer write', async (line, left) => {
    twins.write('acl', MAY)
    const both = await twins.start(line + RULES)
    for (const {
      name,
      ports: [port = 0],
    } of both) {
      await retain(port)
      expect([name, await shown(port)]).toEqual([name, ALL])
    }
    twins.write('acl', MAY_NOT)
    await twins.reload()
    for (const {
      name,
      ports: [port = 0],
    } of both)
      expect([name, await shown(port)]).toEqual([name, left])
    twins.write('acl', MAY)
    await twins.reload()
    for (const {
      name,
      ports: [port = 0],
    } of both)
      expect([name, await shown(port)]).toEqual([name, ALL])
  })

  test('the source is who published, whoever has that Client Identifier now', async () => {
    twins.write('acl', `${MAY}user other\ntopic write w/#\n`)
    const both = await twins.start(OPEN)
    for (const {
      ports: [port = 0],
    } of both) {
      await retain(port)
      const other = await Peer.open(port, { clientId: 'w', username: 'other' })
      other.publish({ topic: 'w/2', payload: 'anew', qos: 1, retain: true })
      await other.drain()
    }
    twins.write('acl', `${MAY_NOT}user other\ntopic write w/#\n`)
    await twins.reload()
    for (const {
      name,
      ports: [port = 0],
    } of both) {
      expect([name, await shown(port)]).toEqual([name, ['w/2', 'x']])
    }
  })

  test('wills', async () => {
    twins.write('acl', MAY)
    const both = await twins.start(OPEN)
    for (const {
      name,
      ports: [port = 0],
    } of both) {
      const will = { topic: 'w/will', payload: Buffer.from('gone'), qos: 1, retain: true } as const
      const seeing = await Peer.open(port, { clientId: 's', username: 'reader' })
      await seeing.subscribe('w/will')
      await (await Peer.open(port, { clientId: 'w', username: 'writer', will })).cut()
      expect([name, payloads([await seeing.next('PUBLISH')])]).toEqual([name, ['gone']])
    }
    twins.write('acl', MAY_NOT)
    await twins.reload()
    for (const {
      name,
      ports: [port = 0],
    } of both)
      expect([name, await shown(port)]).toEqual([name, []])
  })

  test("a listener's own rules", async () => {
    twins.write('acl', MAY)
    twins.write('acl2', 'topic readwrite #\nuser reader\ntopic read #\n')
    const conf = `per_listener_settings true
check_retain_source true
listener PORT 127.0.0.1
allow_anonymous true
acl_file FOLDER/acl
listener PORT 127.0.0.1
allow_anonymous true
acl_file FOLDER/acl2
`
    const both = await twins.start(conf)
    for (const {
      ports: [first = 0, second = 0],
    } of both) {
      await retain(first)
      const writer = await Peer.open(second, { clientId: 'w2' })
      writer.publish({ topic: 'w/3', payload: 'x', qos: 1, retain: true })
      await writer.drain()
    }
    twins.write('acl', MAY_NOT)
    await twins.reload()
    for (const {
      name,
      ports: [, second = 0],
    } of both) {
      expect([name, await shown(second)]).toEqual([name, ['w/3', 'x']])
    }
  })
})

test("where there are rules it holds unless the file says otherwise, as Mosquitto's manual has it", async () => {
  twins.write('acl', MAY)
  const { ports } = await twins.startOurs(RULES)
  await retain(ports[0] ?? 0)
  twins.write('acl', MAY_NOT)
  await twins.reload()
  expect(await shown(ports[0] ?? 0)).toEqual(['x'])
})

describe('checkRetainSource over a restart', () => {
  const KEPT = `${OPEN}persistence true\npersistence_location FOLDER\n`

  async function restarted(acl: string): Promise<number> {
    await twins.stopOurs()
    twins.write('acl', acl)
    const { ports } = await twins.startOurs(KEPT)
    return ports[0] ?? 0
  }

  test('who published is known, and asked', async () => {
    twins.write('acl', MAY)
    const { ports } = await twins.startOurs(KEPT)
    await retain(ports[0] ?? 0)
    expect(await shown(await restarted(MAY_NOT))).toEqual(['x'])
    expect(await shown(await restarted(MAY))).toEqual(ALL)
  })

  const KEEP = { sessionExpiryInterval: 1000 }

  test('of a will that is published afterwards', async () => {
    twins.write('acl', MAY)
    const { ports } = await twins.startOurs(KEPT)
    const will = { topic: 'w/will', payload: Buffer.from('gone'), qos: 1, retain: true } as const
    const writer = await Peer.open(ports[0] ?? 0, {
      clientId: 'w',
      username: 'writer',
      properties: KEEP,
      will: { ...will, properties: { willDelayInterval: 1 } },
    })
    await writer.cut()
    const port = await restarted(MAY)
    const reader = await Peer.open(port, { clientId: 'r', username: 'reader' })
    await reader.subscribe('w/will')
    await reader.next('PUBLISH')
    await reader.leave()
    expect(await shown(port)).toEqual(['w/will'])
    twins.write('acl', MAY_NOT)
    await twins.reload()
    expect(await shown(port)).toEqual([])
  })

  test('of a message at QoS 2 that is released afterwards', async () => {
    twins.write('acl', MAY)
    const { ports } = await twins.startOurs(KEPT)
    const who = { clientId: 'w', username: 'writer', properties: KEEP }
    const writer = await Peer.open(ports[0] ?? 0, who)
    const packetId = writer.publish({ topic: 'w/2', payload: 'x', qos: 2, retain: true })
    await writer.next('PUBREC')
    await writer.cut()
    const port = await restarted(MAY)
    const back = await Peer.open(port, { ...who, cleanStart: false })
    back.send({ type: 'PUBREL', packetId, reasonCode: 0 })
    await back.next('PUBCOMP')
    expect(await shown(port)).toEqual(['w/2'])
    twins.write('acl', MAY_NOT)
    await twins.reload()
    expect(await shown(port)).toEqual([])
  })

  test('what a version left that does not know of it counts for nothing', async () => {
    twins.write('acl', MAY)
    const { ports } = await twins.startOurs(KEPT)
    await retain(ports[0] ?? 0)
    await twins.stopOurs()
    const db = new DatabaseSync(twins.path('mosquitto.db.pipit/broker.db'))
    db.exec(`UPDATE sources SET message = message + 1000 WHERE topic = 'w/1'`)
    expect(db.prepare('SELECT count(*) AS n FROM sources').get()).toEqual({ n: 4 })
    db.close()
    expect(await shown(await restarted(MAY_NOT))).toEqual(['w/1', 'x'])
  })

  test('a message that the broker itself publishes has no source, and takes one away', async () => {
    twins.write('acl', MAY)
    const { ports } = await twins.startOurs(KEPT)
    await retain(ports[0] ?? 0)
    twins.ours?.publish('w/1', 'own', { qos: 1, retain: true })
    expect(await shown(await restarted(MAY_NOT))).toEqual(['w/1', 'x'])
  })
})
