import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { Bench, text } from './wire.ts'

const bench = new Bench()
const folder = mkdtempSync(join(tmpdir(), 'pipit-queued-'))
afterEach(() => bench.end())
afterAll(() => rmSync(folder, { recursive: true }))

const KEPT = { cleanStart: false, properties: { sessionExpiryInterval: 60 } } as const

test('what was queued for one user does not go to another who takes the session', async () => {
  const aclFile = join(folder, 'users')
  writeFileSync(aclFile, 'user alice\ntopic read t/#\nuser bob\ntopic read t/open\n')
  const { broker, port } = await bench.broker({ access: { anonymous: true, aclFile } })
  const alice = await bench.connect(port, { clientId: 'c', username: 'alice', ...KEPT })
  await alice.subscribe('t/#', 1)
  alice.send({ type: 'DISCONNECT', reasonCode: 0 })
  await alice.closed
  broker.publish('t/secret', 'for alice', { qos: 1 })
  broker.publish('t/open', 'for both', { qos: 1 })
  const bob = await bench.connect(port, { clientId: 'c', username: 'bob', ...KEPT })
  expect(text((await bob.receive('PUBLISH')).payload)).toBe('for both')
})

test('what was queued is not sent to a user who may not read it any more', async () => {
  const aclFile = join(folder, 'revoked')
  writeFileSync(aclFile, 'user alice\ntopic read t/#\n')
  const { broker, port } = await bench.broker({ access: { anonymous: true, aclFile } })
  const alice = await bench.connect(port, { clientId: 'c', username: 'alice', ...KEPT })
  await alice.subscribe('t/#', 1)
  alice.send({ type: 'DISCONNECT', reasonCode: 0 })
  await alice.closed
  broker.publish('t/secret', 'queued', { qos: 1 })
  broker.publish('t/open', 'still read', { qos: 1 })
  writeFileSync(aclFile, 'user alice\ntopic read t/open\n')
  expect(await broker.reload()).toEqual([])
  const again = await bench.connect(port, { clientId: 'c', username: 'alice', ...KEPT })
  expect(text((await again.receive('PUBLISH')).payload)).toBe('still read')
})

test('what one user has not acknowledged is not sent again to another', async () => {
  const aclFile = join(folder, 'unacknowledged')
  writeFileSync(aclFile, 'user alice\ntopic read t/#\nuser bob\ntopic read t/open\n')
  const { broker, port } = await bench.broker({ access: { anonymous: true, aclFile } })
  const alice = await bench.connect(port, { clientId: 'c', username: 'alice', ...KEPT })
  await alice.subscribe('t/#', 1)
  broker.publish('t/secret', 'for alice', { qos: 1 })
  await alice.receive('PUBLISH')
  alice.socket.destroy()
  broker.publish('t/open', 'for both', { qos: 1 })
  const bob = await bench.connect(port, { clientId: 'c', username: 'bob', ...KEPT })
  expect(text((await bob.receive('PUBLISH')).payload)).toBe('for both')
})
