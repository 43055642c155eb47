import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { afterEach, describe, expect, test } from 'vitest'
import { canMount } from '../../../../tools/torture/small-disk.ts'
import { afterKill, startBroker } from './brokers.ts'
import { TestClient, text } from './client.ts'
import { smallDisk } from './disk.ts'
import { temporaryFolder } from './kit.ts'

const isRoot = process.getuid?.() === 0
const canLimit = process.platform === 'linux' && spawnSync('prlimit', ['--version']).error === undefined

const children: ChildProcess[] = []

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
})

/** What a broker has to go on doing without a disk, and what it has to refuse. */
async function withoutDisk(port: number): Promise<void> {
  const clean = { cleanStart: true, properties: {} }
  const receiver = await TestClient.open(port, { clientId: 'clean receiver', ...clean })
  await receiver.subscribe('live', 1)
  const publisher = await TestClient.open(port, { clientId: 'clean publisher', ...clean })
  publisher.publish('live', 'qos 0', 0, 0)
  expect(text(await receiver.next('PUBLISH'))).toBe('qos 0')
  publisher.publish('live', 'qos 1', 1, 1)
  expect((await publisher.next('PUBACK')).reasonCode).toBe(0)
  expect(text(await receiver.next('PUBLISH'))).toBe('qos 1')
  const refused = await TestClient.open(port, { clientId: 'new and persistent' })
  expect(refused.answer).toBe(0x97)
}

describe.skipIf(!canMount())('a full disk (needs root and tmpfs)', () => {
  test('durable messages are refused with 0x97, the rest goes on, and with space the service is back; nothing acknowledged is lost', async () => {
    const disk = smallDisk()
    const running = await startBroker({ data: join(disk.folder, 'data') })
    const { port, said } = running
    const away = await TestClient.open(port, { clientId: 'away' })
    await away.subscribe('durable', 2)
    await away.drop()
    const five = await TestClient.open(port, { clientId: 'five' })
    const four = await TestClient.open(port, { clientId: 'four', protocolVersion: 4 })
    const accepted: string[] = []
    disk.fill()
    // The log has room within its file for some; then they are refused.
    let packetId = 0
    for (let code = 0; code !== 0x97; ) {
      const payload = `${++packetId} ${'x'.repeat(3000)}`
      five.publish('durable', payload, 1, packetId)
      code = (await five.next('PUBACK')).reasonCode
      if (code === 0) accepted.push(payload)
    }
    expect(said).toEqual([
      expect.stringMatching(/storage: the disk is full .*; what has to survive is refused until it works/),
    ])
    five.publish('durable', 'refused', 2, 60_000)
    expect((await five.next('PUBREC')).reasonCode).toBe(0x97)
    five.publish('kept', 'refused', 1, 60_001, { retain: true })
    expect((await five.next('PUBACK')).reasonCode).toBe(0x97)
    four.publish('durable', 'no answer', 1, 1)
    await four.round()
    expect(four.packets).toEqual([])
    await withoutDisk(port)

    disk.free()
    // The service comes back by itself; a message is the way to ask.
    for (let code = 0x97; code !== 0; ) {
      five.publish('durable', 'back', 1, 60_002)
      code = (await five.next('PUBACK')).reasonCode
      if (code !== 0) await five.round()
    }
    accepted.push('back')
    expect(said.at(-1)).toBe('storage works again')
    // A client of 3.1.1 sends what was not acknowledged on a new connection: it is given the occasion.
    await expect(four.next('PUBACK')).rejects.toThrow('the connection ended')
    const again = await TestClient.open(port, { clientId: 'four', protocolVersion: 4 })
    again.publish('durable', 'no answer', 1, 1, { dup: true })
    await again.next('PUBACK')
    accepted.push('no answer')

    const after = await startBroker({ data: afterKill(running) })
    expect(after.said).toEqual([])
    const back = await TestClient.open(after.port, {
      clientId: 'away',
      properties: { sessionExpiryInterval: 3600, receiveMaximum: 65535 },
    })
    const got: string[] = []
    while (got.at(-1) !== 'no answer') got.push(text(await back.next('PUBLISH')))
    for (const payload of accepted) expect(got.filter((each) => each === payload)).toHaveLength(1)
    expect(got).not.toContain('refused')
  })

  test('a broker starts on a full disk with what it holds, so that nobody restarts it for ever', async () => {
    const disk = smallDisk()
    const data = join(disk.folder, 'data')
    const first = await startBroker({ data })
    const publisher = await TestClient.open(first.port, { clientId: 'p', protocolVersion: 4 })
    publisher.publish('r', 'there', 1, 1, { retain: true })
    await publisher.next('PUBACK')
    await first.broker.close()
    disk.fill()
    const second = await startBroker({ data })
    const reader = await TestClient.open(second.port, { clientId: 'r', cleanStart: true, properties: {} })
    await reader.subscribe('r', 0)
    expect(text(await reader.next('PUBLISH'))).toBe('there')
    await withoutDisk(second.port)
  })
})

/** A broker in a process of its own. */
class Process {
  readonly said: string[] = []
  readonly child: ChildProcess
  private readonly out: Interface
  private readonly troubles: Interface

  constructor(data: string) {
    const script = join(import.meta.dirname, 'broker-process.ts')
    // A process that writes beyond its limit gets a signal, and an error only if it ignores that.
    const command = 'trap "" XFSZ; exec "$0" --conditions=@pipit/source "$1" "$2"'
    this.child = spawn('sh', ['-c', command, process.execPath, script, data], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(this.child)
    this.out = createInterface({ input: this.child.stdout! })
    this.troubles = createInterface({ input: this.child.stderr! }).on('line', (line) => this.said.push(line))
  }

  /** Settles once a line like this was written on stderr. */
  async says(line: RegExp): Promise<void> {
    while (!this.said.some((each) => line.test(each))) await once(this.troubles, 'line')
  }

  async port(): Promise<number> {
    const [line] = (await once(this.out, 'line')) as [string]
    return Number(line.slice(5))
  }

  /** Lets no file of the process grow beyond this. */
  limit(bytes: number | 'unlimited'): void {
    execFileSync('prlimit', ['--pid', String(this.child.pid), `--fsize=${bytes}:unlimited`])
  }
}

describe.skipIf(!canLimit)('a write that fails (needs prlimit)', () => {
  test('is told and tried again: 0x97 meanwhile, all acknowledged messages afterwards', async () => {
    const data = join(temporaryFolder(), 'data')
    const broker = new Process(data)
    const port = await broker.port()
    const five = await TestClient.open(port, { clientId: 'five' })
    await five.subscribe('nothing', 1)
    const accepted: string[] = []
    const publish = async (id: number): Promise<number> => {
      five.publish(`r/${id}`, 'y'.repeat(2000), 1, id, { retain: true })
      const { reasonCode } = await five.next('PUBACK')
      if (reasonCode < 0x80) accepted.push(`r/${id}`)
      return reasonCode
    }
    for (let id = 1; id <= 20; id++) expect(await publish(id)).toBeLessThan(0x80)
    broker.limit(statSync(join(data, 'broker.db-wal')).size)
    let id = 20
    while ((await publish(++id)) !== 0x97) expect(id).toBeLessThan(5000)
    await broker.says(/^storage: .*; what has to survive is refused until it works$/)
    await withoutDisk(port)
    broker.limit('unlimited')
    while ((await publish(++id)) === 0x97) await five.round()
    await broker.says(/^storage works again$/)

    broker.child.kill('SIGKILL')
    await once(broker.child, 'exit')
    const again = await startBroker({ data })
    expect(again.said).toEqual([])
    const reader = await TestClient.open(again.port, { clientId: 'reader', protocolVersion: 4 })
    await reader.subscribe('r/#', 0)
    await reader.round()
    const found = reader.packets.map((packet) => (packet.type === 'PUBLISH' ? packet.topic : packet.type))
    for (const topic of accepted) expect(found).toContain(topic)
  }, 60_000)
})

describe.skipIf(isRoot)('a folder that cannot be written (root can)', () => {
  test('is refused at the start, saying so', async () => {
    const data = temporaryFolder()
    chmodSync(data, 0o500)
    await expect(startBroker({ data })).rejects.toThrow(new RegExp(`${data}: .*cannot be`))
    chmodSync(data, 0o700)
  })
})

describe.skipIf(!canMount())('a read-only file system (needs root and tmpfs)', () => {
  test('is refused at the start, saying so', async () => {
    const disk = smallDisk()
    const first = await startBroker({ data: join(disk.folder, 'data') })
    await first.broker.close()
    execFileSync('mount', ['-o', 'remount,ro', disk.folder])
    await expect(startBroker({ data: join(disk.folder, 'data') })).rejects.toMatchObject({
      code: 'READ_ONLY',
      message: expect.stringMatching(/: the data folder cannot be written \(EROFS/),
    })
  })
})
