import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  Broker,
  ConfigurationError,
  ConfiguredListeners,
  changesBetween,
  configurationOf,
  DEFAULT_LIMITS,
  merged,
  settingsFromEnvironment,
  settingsFromText,
  settingsFromYaml,
} from '@pipit/broker'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { configurationSchema } from '../src/config/schema.ts'
import { OPTIONS, variableOf } from '../src/config/table.ts'
import { configurationGuide } from './configuration-guide.ts'
import { Bench } from './wire.ts'

const root = join(import.meta.dirname, '../../..')
const example = readFileSync(join(root, 'docs/guide/pipit.yaml'), 'utf8')
const bench = new Bench()
afterEach(() => bench.end())

function faultsOf(work: () => unknown): readonly string[] {
  try {
    work()
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
  return []
}

const yaml = (text: string) => settingsFromYaml(text, 'pipit.yaml')

describe('the table of options', () => {
  test('has every limit, with its default', () => {
    const limits = OPTIONS.filter(({ key }) => key.startsWith('limits.'))
    const found = Object.fromEntries(
      limits.map(({ key, fallback }) => [key.slice('limits.'.length), fallback]),
    )
    expect(found).toEqual(DEFAULT_LIMITS)
  })

  test('has defaults that its own types take, and no name twice', () => {
    for (const { key, fallback, type } of OPTIONS) {
      if (fallback === undefined || type.kind === 'list') continue
      expect(
        faultsOf(() => settingsFromText([[key, String(fallback)]], 'x')),
        key,
      ).toEqual([])
    }
    expect(new Set(OPTIONS.map(({ key }) => variableOf(key))).size).toBe(OPTIONS.length)
  })

  // After a change of the table: vitest run packages/broker/test/configuration.test.ts -u
  test('made the published schema', async () => {
    const text = `${JSON.stringify(configurationSchema(), null, 2)}\n`
    await expect(text).toMatchFileSnapshot('../schema/pipit.schema.json')
  })

  test('made the guide', async () => {
    const text = configurationGuide(example)
    await expect(text).toMatchFileSnapshot(join(root, 'docs/guide/configuration.md'))
  })
})

describe('settingsFromYaml()', () => {
  test('reads the example of the guide', () => {
    const { options, listeners } = configurationOf(yaml(example))
    expect(options).toEqual({
      data: './pipit-data',
      overflowPolicy: 'drop-oldest',
      sysInterval: 10,
      limits: { connections: 10_000, queuedMessages: 100_000, maximumPacketSize: 1_048_576 },
    })
    expect(listeners).toEqual([
      { type: 'tcp', port: 1883, host: '127.0.0.1' },
      { type: 'websocket', port: 8080, path: '/mqtt' },
      { type: 'unix', path: './pipit.sock', mode: 0o660 },
    ])
  })

  test('an empty file says nothing', () => {
    expect(yaml('').size).toBe(0)
    expect(yaml('# nothing\nlimits:\n').size).toBe(0)
  })

  test.each([
    ['limits:\n  queuedMessages: many', '2: limits.queuedMessages is "many"; it takes a number from 0 on'],
    ['limits:\n  queuedMessages: -1', '2: limits.queuedMessages is -1; it takes a number from 0 on'],
    ['limits:\n  queuedMessages:', '2: limits.queuedMessages is empty; it takes a number from 0 on'],
    [
      'limits:\n  receiveMaximum: 0',
      '2: limits.receiveMaximum is 0; it takes a whole number from 1 to 65535',
    ],
    [
      'limits:\n  receiveMaximum: .inf',
      '2: limits.receiveMaximum is null; it takes a whole number from 1 to 65535',
    ],
    [
      'limits:\n  queuedMesages: 1',
      '2: there is no option "limits.queuedMesages"; did you mean limits.queuedMessages?',
    ],
    ['limts:\n  a: 1', '1: there is no option "limts"; did you mean limits?'],
    ['queuedMessages: 1', '1: there is no option "queuedMessages"; did you mean limits.queuedMessages?'],
    ['queued_messages: 1', '1: there is no option "queued_messages"; did you mean limits.queuedMessages?'],
    ['zzzzzz: 1', '1: there is no option "zzzzzz"'],
    ['\n\nstrict: sometimes', '3: strict is "sometimes"; it takes true or false'],
    ['maximumQoS: 3', '1: maximumQoS is 3; it takes 0, 1 or 2'],
    ['data: 5', '1: data is 5; it takes text'],
    ['data: {a: 1}', '1: data is {"a":1}; it takes text'],
    ['limits: 5', '1: limits takes keys and values'],
    ['- a', '1: the file takes keys and values'],
    ['listeners: 1883', '1: listeners is 1883; it takes a list'],
    ['listeners:\n  - 1883', '2: listeners[0] takes keys and values'],
    [
      'listeners:\n  - port: 1\n  - prot: 2',
      '3: listeners[1]: there is no option "prot"; did you mean port?',
    ],
    ['listeners:\n  - port: 70000', '2: listeners[0].port is 70000; it takes a whole number from 0 to 65535'],
    [
      'durabilityByFilter:\n  - filter: a\n    durability: maybe',
      '3: durabilityByFilter[0].durability is "maybe"; it takes always, interval or off',
    ],
  ])('%j', (text, fault) => {
    expect(faultsOf(() => yaml(text))).toEqual([`pipit.yaml:${fault}`])
  })

  test.each([
    ['a: 1\na: 2', 2],
    ['data: [1', 1],
    ['data: "open', 1],
    ['x: &a\n  *b', 2],
  ])('what is no YAML has its line: %j', (text, line) => {
    const [first] = faultsOf(() => yaml(text))
    expect(first).toMatch(new RegExp(`^pipit\\.yaml:${line}: `))
  })

  test('says everything that is wrong, by line', () => {
    const faults = faultsOf(() => yaml('strict: 1\nlimits:\n  keepAlive: x\ndta: y\n'))
    expect(faults.map((fault) => fault.split(' ')[0])).toEqual([
      'pipit.yaml:1:',
      'pipit.yaml:3:',
      'pipit.yaml:4:',
    ])
  })

  test('takes anchors', () => {
    const text = 'listeners:\n  - &one\n    port: 1\n    host: a\n  - *one\n'
    expect(configurationOf(yaml(text)).listeners).toHaveLength(2)
  })

  test('never throws anything else, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'limts:\n -[]{}&*!|>"\'#,0aA?\t'), maxLength: 40 }),
        (text) => {
          for (const fault of faultsOf(() => yaml(text))) expect(fault).toMatch(/^pipit\.yaml:\d+: /)
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('configurationOf()', () => {
  test.each([
    ['- type: unix', 'a unix socket needs a path'],
    ['- {type: unix, path: a, port: 1}', 'a unix socket has no port and no host'],
    ['- {port: 1, path: a}', 'TCP has no path; is it type: unix, or websocket?'],
    ['- {port: 1, mode: 660}', 'only a unix socket has a mode'],
    ['- {type: unix, path: a, mode: 680}', 'mode is 680; it takes three octal digits, such as 660'],
  ])('refuses %s', (listener, fault) => {
    const text = `listeners:\n  ${listener}`
    expect(faultsOf(() => configurationOf(yaml(text)))).toEqual([`pipit.yaml:1: listeners[0]: ${fault}`])
  })
})

describe('the environment and --set', () => {
  test('names follow the keys', () => {
    expect(variableOf('limits.queuedMessages')).toBe('PIPIT_LIMITS_QUEUED_MESSAGES')
    expect(variableOf('maximumQoS')).toBe('PIPIT_MAXIMUM_QOS')
    expect(variableOf('durabilityIntervalMs')).toBe('PIPIT_DURABILITY_INTERVAL_MS')
  })

  test('text becomes what the option takes', () => {
    const settings = settingsFromEnvironment({
      PIPIT_LIMITS_QUEUED_MESSAGES: '12',
      PIPIT_STRICT: 'off',
      PIPIT_MAXIMUM_QOS: '1',
      PIPIT_DATA: 'x',
      PIPIT_SOMETHING_ELSE: 'of the command',
    })
    expect(configurationOf(settings).options).toEqual({
      limits: { queuedMessages: 12 },
      strict: false,
      maximumQoS: 1,
      data: 'x',
    })
  })

  test.each([
    [
      { PIPIT_LIMITS_QUEUED_MESSAGES: 'many' },
      'PIPIT_LIMITS_QUEUED_MESSAGES: limits.queuedMessages is "many"; it takes a number from 0 on',
    ],
    [{ PIPIT_LIMITS_QUEUD: '1' }, 'PIPIT_LIMITS_QUEUD: there is no such option'],
    [{ PIPIT_STRICT: '' }, 'PIPIT_STRICT: strict is ""; it takes true or false'],
  ])('%j is refused', (environment, fault) => {
    expect(faultsOf(() => settingsFromEnvironment(environment))).toEqual([fault])
  })

  test('--set names what it does not know, and lists stay in files', () => {
    expect(faultsOf(() => settingsFromText([['limits.conections', '1']], '--set'))).toEqual([
      '--set: there is no option "limits.conections"; did you mean limits.connections?',
    ])
    expect(faultsOf(() => settingsFromText([['listeners', '1']], '--set'))).toEqual([
      '--set: listeners is a list, which only a file can hold',
    ])
  })

  test('the last is the strongest', () => {
    const file = yaml('data: file\nstrict: false\nsysInterval: 1')
    const environment = settingsFromEnvironment({ PIPIT_DATA: 'env', PIPIT_SYS_INTERVAL: '2' })
    const options = settingsFromText([['sysInterval', '3']], '--set')
    expect(configurationOf(merged(file, environment, options)).options).toMatchObject({
      data: 'env',
      strict: false,
      sysInterval: 3,
    })
  })
})

describe('a second reading', () => {
  test('changesBetween() says what counts now and what needs a restart', () => {
    const before = yaml('data: a\nlimits:\n  keepAlive: 10\nreasonStrings: true')
    const after = yaml('data: b\nlimits:\n  keepAlive: 20\nsysInterval: 10')
    expect(changesBetween(before, after)).toEqual({
      taken: ['reasonStrings', 'limits.keepAlive'],
      left: ['data'],
    })
    expect(changesBetween(after, after)).toEqual({ taken: [], left: [] })
  })

  test('broker.reconfigure() takes limits while clients are connected, and goes back to defaults', async () => {
    const { broker, port } = await bench.broker({ limits: { subscriptionsPerClient: 1 } })
    const wire = await bench.connect(port)
    await wire.subscribe('a')
    expect((await wire.subscribe('b')).reasonCodes).toEqual([0x97])
    broker.reconfigure({ limits: { subscriptionsPerClient: 2 } })
    expect((await wire.subscribe('b')).reasonCodes).toEqual([0])
    expect((await wire.subscribe('c')).reasonCodes).toEqual([0x97])
    expect(() => broker.reconfigure({ limits: { keepAlive: Number.NaN } })).toThrow(RangeError)
    broker.reconfigure({})
    expect((await wire.subscribe('c')).reasonCodes).toEqual([0])
  })

  test('listeners come and go; connections of one that goes stay', async () => {
    const broker = new Broker({ sysInterval: 0 })
    const listeners = new ConfiguredListeners(broker)
    await listeners.apply([
      { type: 'tcp', port: 0, host: '127.0.0.1' },
      { type: 'websocket', port: 0, host: '127.0.0.1' },
    ])
    expect(listeners.addresses).toHaveLength(2)
    const port = Number(listeners.addresses[0]?.split(':')[1])
    const wire = await bench.connect(port)
    await listeners.apply([{ type: 'websocket', port: 0, host: '127.0.0.1' }])
    expect(listeners.addresses).toEqual([expect.stringMatching(/^ws:\/\/127\.0\.0\.1:\d+$/)])
    await wire.settles()
    await expect(bench.open(port)).rejects.toThrow('ECONNREFUSED')
    await broker.close()
  })
})
