import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '@pipit/broker'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { Processes } from './processes.ts'

const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-bench-'))
const QUICK = ['--seconds', '1', '--warm-up', '0', '--json']
const NO_FAULTS = { lost: 0, repeated: 0, strange: 0, unacknowledged: 0 }

afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

describe('pipit bench', { timeout: 60_000 }, () => {
  let port = 0
  let webSocket = 0

  beforeAll(async () => {
    const broker = new Broker()
    port = (await broker.listen({ port: 0, host: '127.0.0.1' })).port
    webSocket = (await broker.listenWebSocket({ port: 0, host: '127.0.0.1' })).port
    return () => broker.close()
  })

  const cases = [
    ['pairs', '0', '311', 1],
    ['pairs', '1', '5', 1],
    ['pairs', '2', '311', 1],
    ['fan-out', '0', '5', 20],
    ['fan-in', '1', '311', 1],
    ['shared', '2', '5', 1],
  ] as const
  test.for(cases)(
    '%s, QoS %s, MQTT %s: every message is delivered, and timed',
    async ([shape, qos, version, copies]) => {
      const few = shape === 'fan-out' ? ['--subscribers', '20'] : []
      const run = await processes.done([
        'bench',
        shape,
        '-p',
        `${port}`,
        '-q',
        qos,
        '-V',
        version,
        ...few,
        ...QUICK,
      ])
      expect(run).toMatchObject({ code: 0, stderr: '' })
      const figures = JSON.parse(run.stdout)
      expect(figures).toMatchObject({ shape, faults: NO_FAULTS })
      expect(figures.published).toBeGreaterThan(0)
      // What was in flight when the measuring began and ended makes the difference.
      expect(figures.delivered).toBeGreaterThan(figures.published * copies * 0.5)
      expect(figures.latencyMs.p50).toBeLessThanOrEqual(figures.latencyMs.max)
    },
  )

  test('over a WebSocket, from two processes, at a rate', async () => {
    const args = [
      '-L',
      `ws://127.0.0.1:${webSocket}/mqtt`,
      '--processes',
      '2',
      '--rate',
      '500',
      '--publishers',
      '4',
    ]
    const run = await processes.done(['bench', ...args, ...QUICK])
    expect(run).toMatchObject({ code: 0, stderr: '' })
    const figures = JSON.parse(run.stdout)
    expect(figures).toMatchObject({ faults: NO_FAULTS, generator: { processes: 2 } })
    expect(figures.publishedRate).toBeLessThan(1000)
  })

  test('prints a table; a broker that loses messages is found out', async () => {
    let number = 0
    const broker = new Broker({ onPublish: () => (++number % 100 === 0 ? 'drop' : undefined) })
    onTestFinished(() => broker.close())
    const { port: lossy } = await broker.listen({ port: 0, host: '127.0.0.1' })
    const args = ['-p', `${lossy}`, '--publishers', '2', '--seconds', '1', '--warm-up', '0']
    const run = await processes.done(['bench', ...args])
    expect(run.code).toBe(1)
    expect(run.stdout).toMatch(
      /^pairs: 2 publishers.*\npublished\/s +delivered\/s[\s\S]*^FAULTS: [\d,]+ lost$/m,
    )
  })

  test('says what is wrong, and what would be right', async () => {
    const bad = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await processes.done(['bench', ...args])
      expect(code).toBe(1)
      return stderr
    }
    expect(await bad('rain')).toContain('there is no shape "rain"; it takes pairs, fan-out, fan-in, shared')
    expect(await bad('--subscribers', '3')).toContain('pairs has one receiver')
    expect(await bad('-L', 'http://x')).toContain('it takes mqtt://, mqtts://, ws:// or wss://')
    expect(await bad('-p', '1')).toContain('no broker answers at localhost:1')
  })
})
