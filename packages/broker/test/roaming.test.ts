import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { Bench, text, type Wire } from './wire.ts'

const bench = new Bench()
const folder = mkdtempSync(join(tmpdir(), 'pipit-roaming-'))
afterEach(() => bench.end())
afterAll(() => rmSync(folder, { recursive: true }))

/** More than a connection remembers, so that each is looked up among all. */
const TOPICS = Array.from({ length: 200 }, (_, i) => `roam/${i}`)

test('a client that publishes to ever other topics reaches their subscribers in order', async () => {
  const { port } = await bench.broker()
  const subscriber = await bench.connect(port, { clientId: 's' })
  await subscriber.subscribe('roam/#')
  const publisher = await bench.connect(port, { clientId: 'p' })
  for (let round = 0; round < 3; round++) {
    for (const topic of TOPICS) publisher.publish(topic, String(round))
    for (const topic of TOPICS) {
      const message = await subscriber.receive('PUBLISH')
      expect([message.topic, text(message.payload)]).toEqual([topic, String(round)])
    }
  }
})

test("what is the broker's own is refused as for anybody", async () => {
  const { port } = await bench.broker()
  const publisher = await bench.connect(port, { clientId: 'p' })
  await roam(publisher)
  for (let round = 0; round < 3; round++) {
    expect(await codeOf(publisher, '$SYS/broker/clients')).toBe(0x87)
    expect(await codeOf(publisher, 'roam/1')).toBe(0x10)
  }
})

test('rules that change count for it at once', async () => {
  const aclFile = join(folder, 'acl')
  writeFileSync(aclFile, 'topic write roam/#\n')
  const { broker, port } = await bench.broker({ access: { aclFile } })
  const publisher = await bench.connect(port, { clientId: 'p' })
  await roam(publisher)
  expect(await codeOf(publisher, 'other')).toBe(0x87)
  writeFileSync(aclFile, 'topic write roam/1\n')
  expect(await broker.reload()).toEqual([])
  expect(await codeOf(publisher, 'roam/2')).toBe(0x87)
  expect(await codeOf(publisher, 'roam/1')).toBe(0x10)
})

test('what one client may do is not what another may, when a hook gives them rules', async () => {
  const authenticate = ({ username }: { readonly username?: string | undefined }) =>
    username === 'limited'
      ? { reasonCode: 0 as const, acl: ['write roam/#', 'read roam/1'] }
      : { reasonCode: 0 as const }
  const { port } = await bench.broker({ authenticate })
  const free = await bench.connect(port, { clientId: 'f', username: 'free' })
  await roam(free)
  const limited = await bench.connect(port, { clientId: 'l', username: 'limited' })
  for (let round = 0; round < 3; round++) expect(await codeOf(free, 'other')).toBe(0x10)
  await roam(limited)
  expect(await codeOf(limited, 'other')).toBe(0x87)
  expect(await codeOf(free, 'other')).toBe(0x10)
  // And it gets only what it may read.
  await limited.subscribe('#')
  free.publish('roam/2', 'no')
  free.publish('roam/1', 'yes')
  expect((await limited.receive('PUBLISH')).topic).toBe('roam/1')
})

test('a hook that answers later is asked once for a message, however many topics went before', async () => {
  let asked = 0
  const authorize = (_client: unknown, _action: unknown, topic: string): boolean | Promise<boolean> => {
    if (topic !== 'slow') return true
    asked++
    return Promise.resolve(true)
  }
  const { port } = await bench.broker({ authorize })
  const publisher = await bench.connect(port, { clientId: 'p' })
  await roam(publisher)
  expect(await codeOf(publisher, 'slow')).toBe(0x10)
  expect(asked).toBe(1)
})

async function roam(publisher: Wire): Promise<void> {
  for (let round = 0; round < 2; round++) {
    for (const topic of TOPICS) expect(await codeOf(publisher, topic)).toBe(0x10)
  }
}

async function codeOf(publisher: Wire, topic: string): Promise<number> {
  publisher.publish(topic, 'x', { qos: 1 })
  return (await publisher.receive('PUBACK')).reasonCode
}
