import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker, type BrokerOptions } from '@pipit/broker'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { canMount, SmallDisk } from '../../../tools/torture/small-disk.ts'
import { Audit } from '../src/audit/audit.ts'
import { Peer } from './peer.ts'

let folder = ''
let file = ''
const brokers: Broker[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipit-audit-'))
  file = join(folder, 'audit.jsonl')
})
afterEach(async () => {
  await Promise.all(brokers.splice(0).map((broker) => broker.close()))
  rmSync(folder, { recursive: true, force: true })
})

async function start(options: BrokerOptions = {}): Promise<{ broker: Broker; port: number }> {
  const broker = new Broker({ sysInterval: 0, audit: { file }, ...options })
  brokers.push(broker)
  const { port } = await broker.listen({ port: 0 })
  return { broker, port }
}

type Line = Readonly<Record<string, unknown>>

function linesOf(path = file): Line[] {
  const text = readFileSync(path, 'utf8')
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]))
}

describe('audit.file', () => {
  test('who came in and went, with address, user and version; no password', async () => {
    const { broker, port } = await start()
    const peer = await Peer.open(port, {
      clientId: 'c',
      username: 'ann',
      password: Buffer.from('hush-hush'),
      protocolVersion: 4,
    })
    await peer.leave()
    await broker.close()
    expect(linesOf()).toMatchObject([
      { event: 'connect', clientId: 'c', username: 'ann', protocolVersion: 4 },
      { event: 'disconnect', clientId: 'c', username: 'ann' },
    ])
    const [first] = linesOf()
    expect(first?.['from']).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(Date.parse(String(first?.['time']))).toBeGreaterThan(0)
    expect(readFileSync(file, 'utf8')).not.toContain('hush')
  })

  test('who was refused and why, and what was denied by which rule', async () => {
    const passwordFile = join(folder, 'passwords')
    const aclFile = join(folder, 'acl')
    writeFileSync(passwordFile, '')
    writeFileSync(aclFile, 'topic read a\n')
    const { broker, port } = await start({ access: { passwordFile, aclFile, anonymous: true } })
    const refused = await Peer.open(port, { clientId: 'r', username: 'bob', password: Buffer.from('x') })
    expect(refused.connack?.reasonCode).toBeGreaterThanOrEqual(0x80)
    const peer = await Peer.open(port, { clientId: 'c' })
    peer.publish({ topic: 'b', qos: 1 })
    await peer.next('PUBACK')
    await broker.close()
    expect(linesOf()).toContainEqual(
      expect.objectContaining({ event: 'refused', clientId: 'r', username: 'bob', reasonCode: '0x86' }),
    )
    const denied = linesOf().find(({ event }) => event === 'denied')
    expect(denied).toMatchObject({ clientId: 'c', action: 'write', topic: 'b' })
    expect(String(denied?.['rule'])).not.toBe('')
  })

  test('what an operator does, and that files were read again', async () => {
    const { broker, port } = await start()
    const peer = await Peer.open(port, { clientId: 'c' })
    broker.disconnect('c')
    await peer.closed()
    await broker.reload()
    await broker.close()
    const events = linesOf().map(({ event, act, why }) => [event, act ?? why])
    expect(events).toEqual([
      ['connect', undefined],
      ['administration', 'disconnect'],
      ['disconnect', 'disconnected by the operator'],
      ['reload', undefined],
    ])
  })

  test('a client cannot write a line of its own, nor a very long one', async () => {
    const { broker, port } = await start({ strict: false })
    const clientId = `x"}\n{"event":"forged"}\u2028\u0085\u202e${'y'.repeat(5000)}`
    const peer = await Peer.open(port, { clientId })
    await peer.leave()
    await broker.close()
    const text = readFileSync(file, 'utf8')
    expect(linesOf().map(({ event }) => event)).toEqual(['connect', 'disconnect'])
    expect(text).not.toMatch(/[\u0080-\u009f\u2028\u2029\u202e]/)
    expect(String(linesOf()[0]?.['clientId']).length).toBeLessThanOrEqual(1001)
  })

  test('is opened again by reload: a file that was moved away is followed by a new one', async () => {
    const { broker, port } = await start()
    await (await Peer.open(port, { clientId: 'one' })).leave()
    await broker.reload()
    renameSync(file, `${file}.1`)
    await broker.reload()
    await (await Peer.open(port, { clientId: 'two' })).leave()
    await broker.close()
    expect(linesOf(`${file}.1`)[0]).toMatchObject({ clientId: 'one' })
    expect(JSON.stringify(linesOf())).toContain('two')
    expect(JSON.stringify(linesOf())).not.toContain('"one"')
  })

  test('a folder that is not there is said at start', async () => {
    const broker = new Broker({ audit: { file: join(folder, 'no', 'audit') } })
    brokers.push(broker)
    await expect(broker.listen({ port: 0 })).rejects.toThrow(/audit\.file .*its folder is not there/)
  })
})

describe('Audit', () => {
  async function open(now: () => number, denialsPerSecond?: number): Promise<Audit> {
    const options = denialsPerSecond === undefined ? { file } : { file, denialsPerSecond }
    const audit = await Audit.open(options, now, () => undefined)
    if (audit === undefined) throw new Error('there is a file')
    return audit
  }

  test('denials are limited for each client, and the rest is counted', async () => {
    let time = 0
    const audit = await open(() => time, 2)
    for (let i = 0; i < 5; i++) audit.denied({ clientId: 'a', username: undefined }, 'write', `t/${i}`, 'r')
    audit.denied({ clientId: 'b', username: undefined }, 'write', 't', 'r')
    time = 1000
    audit.denied({ clientId: 'a', username: undefined }, 'write', 'later', 'r')
    await audit.close()
    expect(linesOf().map(({ clientId, topic, suppressed }) => [clientId, topic ?? suppressed])).toEqual([
      ['a', 't/0'],
      ['a', 't/1'],
      ['b', 't'],
      [undefined, 3],
      ['a', 'later'],
    ])
  })

  test('what the disk does not take in time is dropped and counted', async () => {
    const audit = await open(() => 0)
    const client = { clientId: 'c', username: 'u'.repeat(900), from: 'f' }
    for (let i = 0; i < 5_000; i++) audit.disconnected(client, String(i))
    await audit.close()
    const lines = linesOf()
    const dropped = lines.find(({ event }) => event === 'dropped')
    expect(lines.length).toBeLessThan(5_000)
    expect(lines.length - 1 + Number(dropped?.['count'])).toBe(5_000)
  })

  test('who is not let in is limited for each address, and the rest is counted', async () => {
    const audit = await open(() => 0, 2)
    for (let i = 0; i < 4; i++) {
      const client = { clientId: `c${i}`, username: undefined, from: `192.0.2.1:${i}` }
      audit.refused(client, 0x86, 'wrong')
      audit.turnedAway(`192.0.2.1:${i}`, 'no CONNECT in time')
    }
    audit.turnedAway('[2001:db8::1]:1', 'no CONNECT in time')
    await audit.close()
    expect(linesOf().map(({ event, from, suppressed }) => [event, from ?? suppressed])).toEqual([
      ['refused', '192.0.2.1:0'],
      ['turned away', '192.0.2.1:0'],
      ['refused', '192.0.2.1:1'],
      ['turned away', '192.0.2.1:1'],
      ['turned away', '[2001:db8::1]:1'],
      ['refused', 2],
      ['turned away', 2],
    ])
  })

  test('half a line of one that was killed does not spoil the next', async () => {
    writeFileSync(file, '{"event":"whole"}\n{"event":"ha')
    for (const act of ['one', 'two']) {
      const audit = await open(() => 0)
      audit.administered(act, {})
      await audit.close()
    }
    const [whole, half, ...rest] = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect([whole, half]).toEqual(['{"event":"whole"}', '{"event":"ha'])
    expect(rest.map((line) => (JSON.parse(line) as Line)['act'])).toEqual(['one', 'two'])
  })

  test.skipIf(!canMount())('nor does half a line on a disk that was full (needs root)', async () => {
    const disk = new SmallDisk(join(folder, 'disk'), 1)
    try {
      const path = join(disk.folder, 'audit.jsonl')
      let failed = (): void => undefined
      const hasFailed = new Promise<void>((resolve) => {
        failed = resolve
      })
      writeFileSync(path, '{"event":"before"}\n')
      const audit = await Audit.open({ file: path }, () => 0, failed)
      disk.fill()
      // More than what is left of the file's last page.
      for (let i = 0; i < 20; i++) audit?.administered('full', { i, text: 'x'.repeat(900) })
      await hasFailed
      disk.free()
      audit?.administered('after', {})
      await audit?.close()
      const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
      const broken = lines.filter((line) => !line.endsWith('}'))
      const acts = lines
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line) as Line)
        .map(({ event, act }) => act ?? event)
      expect(broken).toHaveLength(1)
      expect(acts[0]).toBe('before')
      expect(acts.slice(-2)).toEqual(['dropped', 'after'])
    } finally {
      disk.unmount()
    }
  })

  test('is opened again although lines never cease to come', async () => {
    const audit = await Audit.open({ file }, Date.now, () => undefined)
    let isOver = false
    const lines = async (): Promise<void> => {
      while (!isOver) {
        audit?.administered('busy', {})
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const busy = lines()
    await new Promise((resolve) => setImmediate(resolve))
    renameSync(file, `${file}.1`)
    await audit?.reopen()
    isOver = true
    await busy
    await audit?.close()
    expect(existsSync(file)).toBe(true)
  })

  test('no file, no audit', async () => {
    expect(await Audit.open({}, Date.now, () => undefined)).toBeUndefined()
    expect(existsSync(file)).toBe(false)
  })
})
