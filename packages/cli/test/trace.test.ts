import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { blocksOf } from '../../../docs/blocks.ts'
import { noMosquitto, Processes } from './processes.ts'

const processes = new Processes()
// Each test starts several processes, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })
afterAll(() => processes.end())

const CONTROL = 'sensors/esp32-s3/led/control'
const RED = '{"action":"set_color","r":255,"g":0,"b":0,"w":0}'

interface Traced {
  readonly version: string
  readonly stages: readonly { readonly name: string; readonly start: number; readonly length: number }[]
  readonly missing: readonly string[]
}

const THE_WAY = [
  'publish() called → broker received',
  'broker received → routed',
  'routed → written',
  'written → device callback',
  'device callback → light updated',
  'light updated → state back here',
]

/** A machine that is busy with others takes longer than the command likes to wait. */
const PATIENT = { PIPIT_TIMEOUT: '25' }

async function traced(port: number, ...args: string[]): Promise<Traced & { readonly code: number | string }> {
  const { stdout, stderr, code } = await processes.done(
    ['trace', '-p', String(port), '--json', ...args],
    '',
    PATIENT,
  )
  expect(stderr).toBe('')
  return { ...(JSON.parse(stdout) as Traced), code }
}

/** Each part begins where the one before it ended. */
function expectJoined({ stages }: Traced): void {
  let end = 0
  for (const { start, length } of stages) {
    expect(start).toBeCloseTo(end, 6)
    expect(length).toBeGreaterThanOrEqual(0)
    end = start + length
  }
}

async function light(port: number): Promise<void> {
  await processes.pipit(['device', 'led', '--port', String(port)]).says(/connected to localhost/)
}

describe('pipit trace at pipit up --demo', () => {
  let port = 0

  beforeAll(async () => {
    const up = processes.pipit(['up', '--demo', '--port', '0'])
    port = Number((await up.says(/a broker on 127\.0\.0\.1:(\d+)/))[1])
    await up.says(/light: off/)
  })

  test('shows the whole way of a command, at QoS 0 and 1', async () => {
    const command = await traced(port, '-t', CONTROL, '-m', RED)
    expect(command.stages.map(({ name }) => name)).toEqual(THE_WAY)
    expect(command).toMatchObject({ version: '5.0', missing: [], code: 0 })
    expectJoined(command)
    const acknowledged = await traced(port, '-q', '1', '-t', CONTROL, '-m', '{"action":"on"}')
    expect(acknowledged.stages.map(({ name }) => name)).toEqual([
      ...THE_WAY,
      'publish() called → acknowledged',
    ])
  })

  test('in MQTT 3.1.1 shows the round trip, and what is missing', async () => {
    const { stages, missing, code } = await traced(port, '-V', '311', '-t', CONTROL, '-m', RED)
    expect(stages.map(({ name }) => name)).toEqual(['publish() called → state back here'])
    expect(missing).toEqual([
      expect.stringMatching(/^broker: .*3\.1\.1/),
      expect.stringMatching(/^device: .*3\.1\.1/),
    ])
    expect(code).toBe(0)
  })

  test('draws a bar for each part', async () => {
    const { stdout, code } = await processes.done(
      ['trace', '-p', String(port), '-t', CONTROL, '-m', RED],
      '',
      PATIENT,
    )
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^sensors\/esp32-s3\/led\/control, QoS 0, MQTT 5\.0: [\d,]+ µs from the call to the light\n\n/,
    )
    const bars = stdout.match(/^ {2}.+ │ *█+ *│ +[\d,]+ µs$/gm)
    expect(bars).toHaveLength(THE_WAY.length)
  })

  test('says why a light refused', async () => {
    const refused = await processes.done(
      ['trace', '-p', String(port), '-t', CONTROL, '-m', '{"action":"oops"}'],
      '',
      PATIENT,
    )
    expect(refused.stdout).toMatch(/refused: action is "oops"; it takes/)
    expect(refused.code).toBe(1)
  })

  test('every command of the guide, docs/guide/trace.md, works', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../../docs/guide/trace.md'), 'utf8')
    const commands = blocksOf(page)
      .filter(({ language }) => language === 'sh')
      .flatMap(({ code }) => code.split('\n'))
    const traces = commands.filter((command) => command.startsWith('pipit trace'))
    expect(traces.length).toBeGreaterThan(1)
    for (const command of traces) {
      const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(
        ([, quoted, plain]) => quoted ?? plain ?? '',
      )
      const { code, stderr } = await processes.done([...words.slice(1), '-p', String(port)], '', PATIENT)
      expect([command, code, stderr]).toEqual([command, 0, ''])
    }
    for (const command of commands.filter((each) => !traces.includes(each))) {
      expect(['pipit up --demo', 'pipit broker --set trace=true']).toContain(command)
    }
  })
})

test('pipit trace at a broker that was told to: pipit broker --set trace=true, pipit device led', async () => {
  const { port } = await processes.broker('--set', 'trace=true')
  await light(port)
  const command = await traced(port, '-t', CONTROL, '-m', RED)
  expect(command.missing).toEqual([])
  expectJoined(command)
  // Not at pipit up: its bridge is subscribed to everything.
  const args = ['trace', '-p', String(port), '-t', 'nobody/here', '-m', 'x']
  const dark = await processes.done(args, '', PATIENT)
  expect(dark.stdout).toMatch(/nobody is subscribed/)
  expect(dark.code).toBe(1)
})

const silent = [
  { name: 'our broker without the option', start: () => processes.broker(), skipped: undefined },
  { name: "Debian's mosquitto", start: () => processes.mosquitto(), skipped: noMosquitto },
]

test.for(silent)(
  'pipit trace at $name has the device, and names what the broker does not tell',
  async ({ start, skipped }, context) => {
    if (skipped !== undefined) context.skip(skipped)
    const { port } = await start()
    await light(port)
    const command = await traced(port, '-t', CONTROL, '-m', RED)
    expect(command.stages.map(({ name }) => name)).toEqual([
      'publish() called → device callback',
      'device callback → light updated',
      'light updated → state back here',
    ])
    expect(command.missing).toEqual([
      expect.stringMatching(/^broker: receive, route and write: this broker does not tell/),
    ])
    expectJoined(command)
  },
)

test('pipit trace ends with 27 when nothing answers in time, and with 1 for a topic that is none', async () => {
  const { port } = await processes.broker()
  const late = await traced(port, '-W', '0.2', '-t', 'a/control', '-m', 'x')
  expect(late.code).toBe(27)
  expect(late.missing).toHaveLength(3)
  const wrong = await processes.done(['trace', '-p', String(port), '-t', 'a/#', '-m', 'x'], '', PATIENT)
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toMatch(/^pipit trace: -t: .*\(see pipit trace --help\)\n$/)
})
