import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { discoveryFaults } from '@pipit/device'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noMosquitto, Processes } from './processes.ts'

const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-sensor-'))

afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

const brokers = [
  { name: 'our broker', start: () => processes.broker(), skipped: undefined },
  { name: "Debian's mosquitto", start: () => processes.mosquitto(), skipped: noMosquitto },
]

// Each test starts several processes, on a machine that may be busy.
describe.each(brokers)('pipit device sensor against $name', { timeout: 120_000 }, ({ start, skipped }) => {
  const onBroker = test.skipIf(skipped !== undefined)
  let port = ''

  beforeAll(async () => {
    if (skipped === undefined) port = String((await start()).port)
  })

  /** Messages of a topic; retained ones come at once. */
  const messages = async (topic: string, count = 1) => {
    const { stdout } = await processes.done(['sub', '-p', port, '-t', topic, '-C', String(count)])
    return stdout.trimEnd().split('\n')
  }

  onBroker(
    'it publishes temperature and humidity, again and again, and says online and offline',
    async () => {
      const sensor = processes.pipit([
        'device',
        'sensor',
        '-p',
        port,
        '--prefix',
        'home/hall',
        '--interval',
        '0.1',
      ])
      await sensor.says(/^sensor: connected to localhost:\d+\n/)
      await sensor.says(/sensor: temperature [\d.]+ °C\n/)
      await sensor.says(/sensor: humidity [\d.]+ %\n/)
      const [first = '', , third = ''] = await messages('home/hall/temperature', 3)
      for (const text of [first, third])
        expect(JSON.parse(text)).toEqual({ temperature: expect.any(Number), unit: '°C' })
      expect(JSON.parse((await messages('home/hall/humidity'))[0] ?? '')).toEqual({
        humidity: expect.any(Number),
        unit: '%',
      })
      expect(await messages('home/hall/status')).toEqual(['online'])
      expect(await sensor.kill('SIGTERM')).toBe(0)
      expect(await messages('home/hall/status')).toEqual(['offline'])
      expect(sensor.stderr).toBe('')
    },
  )

  onBroker('killed, its will says offline', async () => {
    const url = `mqtt://127.0.0.1:${port}`
    const sensor = processes.pipit([
      'device',
      'sensor',
      '--broker',
      url,
      '--prefix',
      'home/will',
      '--measure',
      'battery',
    ])
    await sensor.says(/sensor: battery 100 %\n/)
    const sub = processes.pipit(['sub', '-p', port, '-t', 'home/will/status', '-C', '2'])
    await sub.says(/^online\n/)
    await sensor.kill('SIGKILL')
    expect(await sub.ended).toBe(0)
    expect(sub.stdout).toBe('online\noffline\n')
  })

  onBroker('--discovery announces what Home Assistant takes', async () => {
    const args = [
      '--prefix',
      'home/porch',
      '--discovery',
      '--name',
      'Porch',
      '--measure',
      'temperature',
      '--measure',
      'motion',
    ]
    const sensor = processes.pipit(['device', 'sensor', '-p', port, ...args])
    await sensor.says(/sensor: motion (yes|no)\n/)
    const topic = 'homeassistant/device/home_porch/config'
    const [payload = ''] = await messages(topic)
    expect(discoveryFaults(topic, payload)).toEqual([])
    expect(payload).toContain('home/porch/temperature')
    expect(payload).toContain('home/porch/motion')
    expect(payload).toContain('"Porch"')
    expect(await sensor.kill('SIGINT')).toBe(0)
  })

  onBroker('--file reads a number, times --scale', async () => {
    const file = join(folder, 'temp')
    writeFileSync(file, '48312\n')
    const args = [
      '--prefix',
      'cpu',
      '--file',
      `temperature=${file}`,
      '--scale',
      '0.001',
      '--interval',
      '0.05',
    ]
    const sensor = processes.pipit(['device', 'sensor', '-p', port, ...args])
    await sensor.says(/sensor: temperature 48\.31 °C\n/)
    writeFileSync(file, 'none\n')
    await sensor.says(/sensor: --file .*temp: it begins with "none\\n", which is no number\n/)
    writeFileSync(file, '50000\n')
    await sensor.says(/sensor: temperature 50 °C\n/)
    await sensor.kill('SIGTERM')
    expect(await messages('cpu/temperature')).toEqual(['{"temperature":50,"unit":"°C"}'])
  })

  onBroker('--stdin publishes each line, says what is wrong with one, and ends with it', async () => {
    const lines = [
      '{"temperature":21.4,"humidity":40}',
      '',
      'warm',
      '[1]',
      '{"a/b":1}',
      '{"x":"y"}',
      '{"motion":true,"co2":612}',
    ]
    const done = await processes.done(
      ['device', 'sensor', '-p', port, '--prefix', 'in', '--stdin'],
      lines.join('\n'),
    )
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout.split('\n').filter((line) => / line \d/.test(line))).toEqual([
      'sensor: line 3 is no JSON: "warm"; a line is a JSON object such as {"temperature":21.4}',
      'sensor: line 4 is no object: [1]; a line is a JSON object such as {"temperature":21.4}',
      'sensor: line 5: "a/b" is no name of a quantity; it takes letters, digits, _ and -',
      'sensor: line 6: x is "y"; it takes a number, true or false',
    ])
    expect(await messages('in/temperature')).toEqual(['{"temperature":21.4,"unit":"°C"}'])
    expect(await messages('in/motion')).toEqual(['{"motion":true}'])
    expect(await messages('in/co2')).toEqual(['{"co2":612}'])
  })

  onBroker('--hysteresis publishes what differs by so much', async () => {
    const args = ['--prefix', 'still', '--measure', 'battery', '--hysteresis', '50', '--interval', '0.02']
    const sensor = processes.pipit(['device', 'sensor', '-p', port, ...args])
    await sensor.says(/(sensor: battery 100 %\n){20}/)
    // One was retained; nothing else has come.
    const sub = processes.pipit([
      'sub',
      '-p',
      port,
      '-t',
      'still/battery',
      '-t',
      'still/status',
      '-v',
      '-C',
      '3',
    ])
    await sub.says(/still\/status online/)
    await sub.says(/still\/battery/)
    await sensor.kill('SIGTERM')
    expect(await sub.ended).toBe(0)
    expect(sub.stdout).toMatch(/still\/status offline\n$/)
  })
})

const file = join(folder, 'words')
writeFileSync(file, 'hello')

const usage: [string, string[], RegExp][] = [
  [
    'a quantity that is none',
    ['--measure', 'love'],
    /--measure is "love"; it takes temperature, humidity, motion, battery/,
  ],
  [
    'one quantity twice',
    ['--measure', 'motion', '--measure', 'motion'],
    /motion is measured twice; each quantity has one topic/,
  ],
  [
    'a file without a quantity',
    ['--file', '/tmp/x'],
    /--file is "\/tmp\/x"; it takes QUANTITY=PATH, such as/,
  ],
  ['a file that is not there', ['--file', 'a=/nope'], /--file \/nope: there is no such file/],
  ['a file without a number', ['--file', `a=${file}`], /words: it begins with "hello", which is no number/],
  ['stdin beside others', ['--stdin', '--measure', 'motion'], /--stdin stands alone/],
  ['at least every, alone', ['--at-least-every', '5'], /--at-least-every needs --hysteresis/],
  ['no interval', ['--interval', '0'], /--interval is too short; it takes 0\.01 seconds or more/],
  ['no scale', ['--scale', '0'], /argument '0' is invalid\. It takes a number above 0\./],
  [
    'a broker that is none',
    ['--broker', 'localhost:1883'],
    /--broker is "localhost:1883"; it takes mqtt:\/\//,
  ],
  ['a prefix that is none', ['--prefix', 'a/+'], /--prefix is "a\/\+"; it takes a topic/],
]

test.each(usage)('%s: one line and exit code 1', async (_, args, line) => {
  const done = await processes.done(['device', 'sensor', ...args])
  expect(done.stderr).toMatch(/^pipit device: /)
  expect(done.stderr).toMatch(line)
  expect(done.stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(done).toMatchObject({ code: 1, stdout: '' })
})
