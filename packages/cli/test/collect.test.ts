import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '@pipit/broker'
import { connect as connectClient } from '@pipit/client'
import { LightningCollector, MeshCollector, query, Store } from '@pipit/collectors'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { freePort, Processes } from './processes.ts'

const LAUNCHER = join(import.meta.dirname, '../bin/pipit.js')
/** Why there is no test in a terminal; undefined where there can be. */
const noTerminals =
  spawnSync('script', ['--version']).stdout?.toString().includes('util-linux') === true
    ? undefined
    : 'skipped: script of util-linux is not installed'

const ERASE = '\r\x1b[2K'

const processes = new Processes()
afterAll(() => processes.end())

const centre = { latitude: 48.2, longitude: 16.4 }
const BASE = 1_760_000_000_000_000_000n

function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-collect-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function newStore(): Store {
  const store = new Store({ path: join(testFolder(), 'data.db'), batchMs: 10 })
  onTestFinished(() => store.close(500))
  return store
}

const stroke = (i: number): string => `{"time":${BASE + BigInt(i)},"lat":48.2,"lon":16.5}`
const FAST = { reconnect: { minimumDelayMs: 1, maximumDelayMs: 5 } } as const

/** A way to brokers that come and go: each cut resets what runs through it, as a kill does. */
async function killable(target: () => number): Promise<{ port: number; cut: () => void }> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(target(), '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(from)
          to.destroy()
        })
      from.pipe(to)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  onTestFinished(() => {
    server.close()
    cut()
  })
  const address = server.address()
  return { port: typeof address === 'object' && address !== null ? address.port : 0, cut }
}

async function newBroker(): Promise<{ broker: Broker; port: number }> {
  const broker = new Broker()
  const { port } = await broker.listen({ port: 0, host: '127.0.0.1' })
  return { broker, port }
}

describe('a collector against our broker', () => {
  test('killed and restarted 20 times under load: all that was received is stored, in its order', async () => {
    let { broker, port } = await newBroker()
    onTestFinished(() => broker.close())
    const way = await killable(() => port)
    const store = newStore()
    const broken: string[] = []
    const lightning = new LightningCollector({
      ...{ store, centre, radiusKm: 50, client: FAST, log: (line) => broken.push(line) },
      broker: `mqtt://127.0.0.1:${way.port}`,
    })
    onTestFinished(() => lightning.stop())
    const received: bigint[] = []
    let life = 0
    const lives = new Set<number>()
    let heard: () => void = () => {}
    lightning.on('message', ({ payload }) => {
      const { time } = JSON.parse(
        Buffer.from(payload)
          .toString()
          .replace(/:(\d+)/, ':"$1"'),
      ) as { time: string }
      received.push(BigInt(time) - BASE)
      lives.add(life)
      // Ten in each life are enough to be in the middle of it.
      if (received.length % 10 === 0) heard()
    })
    lightning.start()
    let sent = 0
    let loading = true
    const load = (): void => {
      if (!loading) return
      broker.publish('blitzortung/1.1/u/2/e/d', stroke(sent++), {})
      setImmediate(load)
    }
    load()
    for (; life < 20; life++) {
      await new Promise<void>((resolve) => (heard = resolve))
      way.cut()
      const old = broker
      ;({ broker, port } = await newBroker())
      await old.close()
    }
    await new Promise<void>((resolve) => (heard = resolve))
    loading = false
    await lightning.stop()
    expect(lives.size).toBeGreaterThanOrEqual(20)
    expect(lightning.metrics().reconnects).toBeGreaterThanOrEqual(20)
    const rows = query(store.path, `SELECT time_ns - ${BASE} FROM strokes ORDER BY id`).rows
    expect(rows.map(([number]) => BigInt(number as number))).toEqual(received)
    expect(store.metrics().dropped).toBe(0)
    expect(broken).toEqual([])
  })

  test('emits the JSON that old firmware made, and does not take its own for news', async () => {
    const { broker, port } = await newBroker()
    onTestFinished(() => broker.close())
    const store = newStore()
    const mesh = new MeshCollector({ store, broker: `mqtt://127.0.0.1:${port}`, emitJson: true })
    onTestFinished(() => mesh.stop())
    mesh.start()
    const watcher = await connectClient(`mqtt://127.0.0.1:${port}`)
    onTestFinished(() => watcher.close())
    const messages = await watcher.subscribe('msh/+/2/json/#')
    const text = Buffer.from([0x08, 1, 0x12, 2, 0x68, 0x69])
    const packet = Buffer.concat([
      Buffer.from('0d01000000', 'hex'),
      Buffer.from([0x22, text.length]),
      text,
      Buffer.from('3502000000', 'hex'),
    ])
    const whole = Buffer.concat([
      Buffer.from([0x0a, packet.length]),
      packet,
      Buffer.from('12014c1a022131', 'hex'),
    ])
    // Retained: it does not matter which of the two has subscribed first.
    broker.publish('msh/EU_868/2/e/L/!1', whole, { retain: true })
    const { value: told } = await messages.next()
    expect(told?.topic).toBe('msh/EU_868/2/json/L/!1')
    const shape = { from: 1, id: 2, type: 'text', payload: { text: 'hi' }, sender: '!1' }
    expect(told?.json()).toMatchObject(shape)
    await mesh.stop()
    expect(mesh.metrics()).toMatchObject({ messages: 1 })
  })
})

describe('pipit collect', () => {
  test('lightning --simulate gathers without a broker; query and status read it', async () => {
    const db = join(testFolder(), 'storm.db')
    const place = ['--lat', '48.2', '--lon', '16.4', '--alert-distance', '100']
    const running = processes.pipit(['collect', 'lightning', '--simulate', '--db', db, ...place])
    await running.says(/collecting into/)
    await running.says(/lightning [\d.]+ km away/)
    const live = await processes.done(['collect', 'status', '--db', db, '--format', 'json'])
    expect(live.stdout).toContain('"name":"lightning"')
    expect(await running.kill('SIGTERM')).toBe(0)
    const count = await processes.done([
      'collect',
      'query',
      '--db',
      db,
      'SELECT count(*) > 0 AS some FROM strokes',
    ])
    expect(count).toMatchObject({ code: 0, stdout: 'some\n----\n1\n' })
    const csv = await processes.done([
      'collect',
      'query',
      '--db',
      db,
      '--format',
      'csv',
      "SELECT 'a,b' AS x, 1 AS y",
    ])
    expect(csv.stdout).toBe('x,y\r\n"a,b",1\r\n')
    const status = await processes.done(['collect', 'status', '--db', db])
    expect(status.stdout).toMatch(/^name .*attempts .*last_data[\s\S]*^lightning {2}.*stopped/m)
    const writes = await processes.done(['collect', 'query', '--db', db, 'DELETE FROM strokes'])
    expect(writes).toMatchObject({ code: 1, stderr: expect.stringContaining('begins with SELECT') })
  })

  test.skipIf(noTerminals !== undefined)(
    `in a terminal it draws a line that changes (${noTerminals ?? 'script'})`,
    async () => {
      const db = join(testFolder(), 'storm.db')
      const pipit = [process.execPath, '--conditions=@pipit/source', LAUNCHER, 'collect', 'lightning']
      const command = [...pipit, '--simulate', '--db', db, '--lat', '48.2', '--lon', '16.4']
      const quoted = command.map((word) => `'${word}'`).join(' ')
      const env = { TERM: 'xterm', NO_COLOR: '', SHELL: '/bin/sh' }
      const running = processes.run('script', ['-qefc', `stty cols 200; exec ${quoted}`, '/dev/null'], env)
      // Two pictures of the line, one over the other, with more strokes in the second.
      await running.says(/[1-9]\d* messages/)
      await running.says(/strokes\/min.*\r.*strokes\/min/)
      running.child.stdin?.write('\x03')
      expect(await running.ended).toBe(0)
      expect(running.stdout).toContain(`${ERASE}lightning: idle | 0 attempts | `)
      // The line is gone behind it.
      const last = running.stdout.split(ERASE).at(-1)
      expect(last).toMatch(/^lightning: stopped; \d+ records written, 0 dropped\r\n$/)
    },
  )

  test('mesh waits for a broker that is not there yet', async () => {
    const db = join(testFolder(), 'mesh.db')
    const port = await freePort()
    const running = processes.pipit(['collect', 'mesh', '--broker', `mqtt://127.0.0.1:${port}`, '--db', db])
    await running.says(/collecting into/)
    const broker = new Broker()
    onTestFinished(() => broker.close())
    await broker.listen({ port, host: '127.0.0.1' })
    await running.says(/mesh: connected, MQTT 5\.0/)
    expect(await running.kill('SIGINT')).toBe(0)
    const { stdout } = await processes.done([
      'collect',
      'query',
      '--db',
      db,
      'SELECT kind FROM connection_events',
    ])
    expect(stdout).toContain('connect')
  })

  test.each([
    [['collect'], 'collect what?'],
    [['collect', 'mesh'], '--broker is missing'],
    [
      ['collect', 'lightning', '--lat', '1', '--lon', '2'],
      '--broker (your own relay) or --simulate is missing',
    ],
    [['collect', 'lightning', '--simulate'], '--lat and --lon'],
    [['collect', 'query', 'SELECT 1', '--db', '/nowhere/x.db'], 'there is no such database'],
  ])('pipit %j says what is wrong', async (args, said) => {
    expect(await processes.done(args)).toMatchObject({ code: 1, stderr: expect.stringContaining(said) })
  })
})
