import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FleetSummary } from '@pipit/device'
import { afterAll, describe, expect, test } from 'vitest'
import { freePort, noMosquitto, Processes } from './processes.ts'

// Real runs take as long as their scenario does, on a machine that may be busy.
const REAL_MS = 180_000

const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-fleet-test-'))
const root = join(import.meta.dirname, '../../..')
const THREE_RESTARTS = join(root, 'examples/fleet/three-restarts.yaml')

afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

function scenario(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

async function summaryOf(args: readonly string[], code = 0): Promise<FleetSummary> {
  const done = await processes.done(['device', 'fleet', '--json', ...args])
  if (code === 0) expect(done.stderr).toBe('')
  expect(done.code).toBe(code)
  return JSON.parse(done.stdout) as FleetSummary
}

/** Every reading is in one place, and none is lost. */
function expectWhole({ readings, lostReadings, faults }: FleetSummary): void {
  expect(faults).toEqual([])
  expect(lostReadings).toBe(0)
  expect(readings.strange).toBe(0)
  expect(readings.received + readings.kept).toBe(readings.measured)
  expect(readings.publishes).toBeGreaterThanOrEqual(readings.acknowledged)
}

describe('in virtual time', { timeout: REAL_MS }, () => {
  test('500 devices with 10 % loss and three broker restarts lose no reading', async () => {
    const summary = await summaryOf(['--accelerated', '--count', '500', '--scenario', THREE_RESTARTS])
    expectWhole(summary)
    expect(summary).toMatchObject({ devices: 500, outages: 3 })
    expect(summary.readings.measured).toBeGreaterThan(500 * 22)
    expect(summary.readings.retries).toBeGreaterThan(0)
    expect(summary.connections.failed).toBeGreaterThan(500)
  })

  test('the same seed gives the same events and summary, another seed others', async () => {
    const run = (seed: string, events: string) =>
      summaryOf([
        '--accelerated',
        '--count',
        '20',
        '--seed',
        seed,
        '--scenario',
        THREE_RESTARTS,
        '--events',
        join(folder, events),
      ])
    const [first, again, other] = [await run('5', 'a'), await run('5', 'b'), await run('6', 'c')]
    expect(again).toEqual(first)
    expect(other.events.hash).not.toBe(first.events.hash)
    const lines = readFileSync(join(folder, 'a'), 'utf8')
    expect(lines).toBe(readFileSync(join(folder, 'b'), 'utf8'))
    expect(lines.trimEnd().split('\n')).toHaveLength(first.events.count)
  })

  test('a summary for people: readings, retries, radio-on time and mAh a day', async () => {
    const done = await processes.done([
      'device',
      'fleet',
      '--accelerated',
      '--count',
      '5',
      '--duration',
      '3h',
    ])
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout).toMatch(
      /^fleet: 5 devices for 3 h, seed 1\n {2}readings +\d+ measured, \d+ received, 0 kept .*, 0 lost\n/,
    )
    expect(done.stdout).toMatch(/\n {2}retries +\d+ of readings; 0 of \d+ connections failed\n/)
    expect(done.stdout).toMatch(/\n {2}radio on +[\d.]+ [sm] a day and device/)
    expect(done.stdout).toMatch(/\n {2}charge +[\d.]+ mAh a day and device/)
  })

  test('readings that were lost are told of, with exit code 1', async () => {
    const file = scenario(
      'small.yaml',
      'count: 3\nduration: 8h\ndevice: { outbox: 2 }\noutages:\n  - { at: 1h, for: 4h }\n',
    )
    const done = await processes.done(['device', 'fleet', '--accelerated', '--scenario', file])
    expect(done.code).toBe(1)
    expect(done.stdout).toMatch(
      /\n {2}lost +0 though acknowledged, \d+ of full outboxes, 0 with the power, 0 unexplained\n/,
    )
    expect(done.stderr).toMatch(/^pipit device: \d+ of \d+ readings were lost\n$/)
  })
})

const SHORT = `
name: short
duration: 20m
device:
  interval: 2m
  reconnect: { min_interval: 1m, max_interval: 2m }
network: { loss: 10 %, latency: 5ms, latency_spread: 5ms, retransmit_after: 30ms, give_up_after: 3 }
outages:
  - { at: 4m, for: 1m }
  - { at: 9m, for: 1m }
  - { at: 14m, for: 1m }
brown_outs:
  - { at: 7m, share: 10 % }
roll_out:
  - { at: 11m, version: 1, set: { update_interval: 90 } }
`

describe('in real time', { timeout: REAL_MS }, () => {
  test('60 devices lose no reading while their broker is killed three times', async () => {
    const file = scenario('short.yaml', SHORT.replace(/brown_outs:\n.*\n/, ''))
    const summary = await summaryOf(['--count', '60', '--speed', '120', '--scenario', file])
    expectWhole(summary)
    expect(summary).toMatchObject({ devices: 60, outages: 3 })
    expect(summary.readings.received).toBeGreaterThan(60)
    expect(summary.connections.failed).toBeGreaterThan(0)
    expect(summary.linkDelays).toBeGreaterThan(0)
    expect(summary.configurations.applied).toBeGreaterThan(0)
  })

  for (const { name, start, skipped } of [
    { name: 'our broker', start: () => processes.broker(), skipped: undefined },
    { name: "Debian's mosquitto", start: () => processes.mosquitto(), skipped: noMosquitto },
  ]) {
    test.skipIf(skipped !== undefined)(
      `against ${name} it accounts for every reading and leaves nothing behind (${skipped ?? 'installed'})`,
      async () => {
        const port = String((await start()).port)
        const file = scenario('beside.yaml', SHORT)
        const broker = `mqtt://127.0.0.1:${port}`
        const args = ['--count', '10', '--speed', '300', '--scenario', file, '--broker', broker]
        // Power may go in the middle of a wake, and take its reading along: then the exit code is 1.
        const done = await processes.done(['device', 'fleet', '--json', ...args])
        const { readings, lostReadings, faults, brownOuts } = JSON.parse(done.stdout) as FleetSummary
        expect(done.code).toBe(lostReadings > 0 ? 1 : 0)
        expect(faults).toEqual([])
        expect(brownOuts).toBeGreaterThan(0)
        expect(readings).toMatchObject({
          strange: 0,
          lost: { acknowledged: 0, unexplained: 0, outboxFull: 0 },
        })
        expect(readings.received + readings.kept + readings.lost.power).toBe(readings.measured)
        // What is retained comes before what is published from now on.
        const sub = processes.pipit(['sub', '-p', port, '-t', 'fleet/#', '-v', '-C', '1'])
        expect(await processes.pipit(['pub', '-p', port, '-t', 'fleet/end', '-m', 'last', '-r']).ended).toBe(
          0,
        )
        expect(await sub.ended).toBe(0)
        expect(sub.stdout).toBe('fleet/end last\n')
      },
    )
  }

  test('a broker of somebody else is killed and comes back: nothing is lost', async () => {
    const data = join(folder, 'data')
    const broker = await processes.broker('--data', data)
    const port = String(broker.port)
    const url = `mqtt://127.0.0.1:${port}`
    const file = scenario(
      'plain.yaml',
      'count: 20\ndevice: { interval: 1m, reconnect: { min_interval: 1m, max_interval: 1m } }\n',
    )
    const fleet = processes.pipit(['device', 'fleet', '--speed', '100', '--scenario', file, '--broker', url])
    await fleet.says(/^fleet: 20 devices against 127\.0\.0\.1:\d+, for 1 d, 100 times as fast\n/)
    const ten = ['sub', '-p', port, '-t', 'fleet/+/reading', '-C', '10']
    expect(await processes.pipit(ten).ended).toBe(0)
    await broker.running.kill('SIGKILL')
    await processes.pipit(['broker', '--port', port, '--bind', '127.0.0.1', '--data', data]).says(/ready/)
    expect(await processes.pipit(ten).ended).toBe(0)
    expect(await fleet.kill('SIGINT')).toBe(0)
    expect(fleet.stdout).toMatch(/ 0 lost\n/)
    expect(fleet.stderr).toBe('')
  })

  test('Ctrl-C ends it early, with a summary; its broker and folder go with it', async () => {
    const temporary = join(folder, 'temporary')
    const file = scenario('long.yaml', 'count: 5\ndevice: { interval: 1s }\n')
    mkdirSync(temporary)
    const args = ['device', 'fleet', '--scenario', file, '--events', join(folder, 'long')]
    const fleet = processes.inTerminal(args, { TMPDIR: temporary })
    const [, port = ''] = await fleet.says(
      /^fleet: 5 devices against 127\.0\.0\.1:(\d+), a broker of its own, for 1 d\n/,
    )
    const sub = processes.pipit(['sub', '-p', port, '-t', 'fleet/+/reading', '-C', '3'])
    await sub.says(/"sequence"/)
    expect(readdirSync(temporary)).toHaveLength(1)
    expect(await fleet.interrupt()).toBe(0)
    expect(fleet.stdout).toMatch(/\nfleet: 5 devices for [\d.]+ s, seed 1\n/)
    expect(fleet.stdout).toMatch(/ 0 lost\n/)
    expect(readdirSync(temporary)).toEqual([])
    const gone = await processes.done(['pub', '-p', port, '-t', 'a', '-m', 'x'])
    expect(gone.stderr).toContain('no broker answers')
  })
})

const usage: [string, string[], RegExp][] = [
  [
    'both times',
    ['--accelerated', '--speed', '2'],
    /^pipit device: --accelerated and --speed exclude each other/,
  ],
  [
    'a broker in virtual time',
    ['--accelerated', '--broker', 'mqtt://x'],
    /^pipit device: --accelerated and --broker exclude each other/,
  ],
  ['no devices', ['--count', '0'], /argument '0' is invalid\. It takes a whole number from 1 to 100000\./],
  [
    'a speed that is none',
    ['--speed', 'fast'],
    /argument 'fast' is invalid\. It takes a number from 0\.1 to 100000\./,
  ],
  [
    'a broker that is none',
    ['--broker', 'localhost'],
    /^pipit device: --broker is "localhost"; it takes mqtt:\/\//,
  ],
  ['no scenario', ['--scenario', '/nope'], /^pipit device: --scenario \/nope: there is no such file\n$/],
  [
    'a duration that is none',
    ['--duration', 'long'],
    /^pipit device: --duration: duration is "long"; it takes a time such as/,
  ],
  ['no place for events', ['--accelerated', '--events', '/nope/x'], /^pipit device: --events \/nope\/x: /],
  [
    'an option with a near one',
    ['--acelerated'],
    /unknown option '--acelerated'; did you mean --accelerated\?/,
  ],
]

test.each(usage)('%s: one line and exit code 1', async (_, args, line) => {
  const done = await processes.done(['device', 'fleet', ...args])
  expect(done.stderr).toMatch(line)
  expect(done.stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(done).toMatchObject({ code: 1, stdout: '' })
})

test('each fault of a scenario has its line', async () => {
  const file = scenario('wrong.yaml', 'count: many\nnetwork:\n  loss: 10\noutage: []\n')
  const done = await processes.done(['device', 'fleet', '--scenario', file])
  expect(done.stderr.trimEnd().split('\n')).toEqual([
    `pipit device: ${file}:1: count is "many"; it takes a whole number from 1 to 100000`,
    `pipit device: ${file}:3: network.loss is 10; it takes a part such as 10 % or 0.1, 90 % at most`,
    `pipit device: ${file}:4: there is no outage; did you mean outages?`,
  ])
  expect(done.code).toBe(1)
})

test.skipIf(!existsSync('/dev/full'))('a disk that is full is told of, after the summary', async () => {
  const args = ['--accelerated', '--count', '2', '--duration', '1h', '--events', '/dev/full']
  const done = await processes.done(['device', 'fleet', ...args])
  expect(done.stdout).toMatch(/^fleet: 2 devices for 1 h/)
  expect(done.stderr).toMatch(/^pipit device: --events \/dev\/full: ENOSPC: .*\n$/)
  expect(done.code).toBe(1)
})

test('without a broker it says where it looked', async () => {
  const port = await freePort()
  const done = await processes.done(['device', 'fleet', '--broker', `mqtt://127.0.0.1:${port}`])
  expect(done.stderr).toMatch(/^pipit device: no broker answers at 127\.0\.0\.1:\d+ \(connection refused\)/)
  expect(done.code).toBe(1)
})
