import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mergeUpdate } from './update.ts'

const file = Object.freeze({
  version: 3,
  device_id: 'porch',
  update_interval: 300,
  sensors: { dht22: { id: 'porch-dht22', pin: 16, tags: ['a'], note: null } },
  mqtt: {
    client_id: 'porch',
    broker: 'b',
    keepalive: 60,
    own: 'x',
    reconnect: { max_attempts: 3, attempt_count: 7, last_attempt_time: 99 },
  },
})
const flat = { client_id: 'porch', broker: 'b', version: 3 }

const applied: [string, object, object, object][] = [
  ['replaces values', file, { update_interval: 60 }, { ...file, update_interval: 60 }],
  [
    'merges objects',
    file,
    { mqtt: { keepalive: 30 }, sensors: { dht22: { pin: 4, note: 'new' } } },
    {
      ...file,
      mqtt: { ...file.mqtt, keepalive: 30 },
      sensors: { dht22: { ...file.sensors.dht22, pin: 4, note: 'new' } },
    },
  ],
  [
    'replaces lists whole',
    file,
    { sensors: { dht22: { tags: ['b', 'c'] } } },
    { ...file, sensors: { dht22: { ...file.sensors.dht22, tags: ['b', 'c'] } } },
  ],
  [
    'adds keys that the kit knows',
    file,
    { mqtt: { port: 1884 } },
    { ...file, mqtt: { ...file.mqtt, port: 1884 } },
  ],
  [
    'writes a key as the file spells it, however it came',
    file,
    { mqtt: { clientId: 'a', reconnect: { maxAttempts: 5 } } },
    {
      ...file,
      mqtt: { ...file.mqtt, client_id: 'a', reconnect: { ...file.mqtt.reconnect, max_attempts: 5 } },
    },
  ],
  [
    'writes a new key as the file spells others',
    { clientId: 'a', broker: 'b' },
    { topic_config: 'c' },
    { clientId: 'a', broker: 'b', topicConfig: 'c' },
  ],
  [
    'leaves the device’s own notes alone',
    file,
    { mqtt: { reconnect: { attempt_count: 0, lastAttemptTime: 0, min_interval: 60 } }, kept_messages: [] },
    { ...file, mqtt: { ...file.mqtt, reconnect: { ...file.mqtt.reconnect, min_interval: 60 } } },
  ],
  ['merges into a flat file', flat, { keepalive: 30 }, { ...flat, keepalive: 30 }],
]

const refused: [object, object, string][] = [
  [file, { mqtt: { port: '1883' } }, 'mqtt.port is "1883"; it takes a whole number from 1 to 65535'],
  [file, { mqtt: { keepaliv: 3 } }, 'mqtt.keepaliv is no key of this configuration'],
  [file, { keepalive: 3 }, 'keepalive is no key of this configuration; the file has it in "mqtt"'],
  [file, { mqtt: 5 }, 'mqtt is 5; it takes an object'],
  [file, { sensors: { dht22: { pin: '4' } } }, 'sensors.dht22.pin is "4"; it takes a number, as in the file'],
  [file, { sensors: { dht22: { tags: {} } } }, 'sensors.dht22.tags is {}; it takes a list, as in the file'],
  [file, { sensors: { bme280: {} } }, 'sensors.bme280 is no key of this configuration'],
  [
    file,
    { mqtt: { client_id: 'a', clientId: 'b' } },
    'mqtt.clientId stands there in two spellings; keep one of them',
  ],
  [file, { mqtt: { broker: '' } }, 'mqtt.broker is missing; it takes text, such as "192.168.1.10"'],
  [
    file,
    { mqtt: { reconnect: { max_interval: 10 } } },
    'mqtt.reconnect.max_interval is 10; it takes no less than min_interval (3600)',
  ],
  [file, JSON.parse('{"__proto__":{"polluted":true}}'), '__proto__ is no key of this configuration'],
]

describe('mergeUpdate()', () => {
  test.each(applied)('%s', (_, before, change, after) => {
    const result = mergeUpdate(before as typeof file, JSON.stringify({ version: 4, ...change }))
    expect(result).toEqual({ outcome: 'applied', version: 4, file: { ...after, version: 4 } })
  })

  test.each(refused)('changes nothing of %j for %j, and says why', (before, change, message) => {
    const text = `{"version":4,${JSON.stringify(change).slice(1)}`
    const result = mergeUpdate(before as typeof file, text)
    expect(result.outcome).toBe('refused')
    expect(result).toMatchObject({ version: 4, faults: [{ message }] })
  })

  test('names every fault', () => {
    const result = mergeUpdate(file, '{"version":4,"nonsense":1,"mqtt":{"more":2}}')
    expect(result).toMatchObject({ faults: [{ key: 'nonsense' }, { key: 'mqtt.more' }] })
  })

  const versions: [unknown, string][] = [
    [undefined, 'version is missing; it takes a whole number above the version in force'],
    ['4', 'version is "4"; it takes a whole number above the version in force'],
    [4.5, 'version is 4.5; it takes a whole number above the version in force'],
    [0, 'version is 0; it takes a whole number above the version in force'],
  ]
  test.each(versions)('refuses an update with version %j', (version, message) => {
    expect(mergeUpdate(file, JSON.stringify({ version }))).toMatchObject({
      outcome: 'refused',
      faults: [{ message }],
    })
  })

  test.each([1, 2, 3])('ignores version %i of a file with version 3', (version) => {
    const text = JSON.stringify({ version, mqtt: { port: 'wrong' } })
    expect(mergeUpdate(file, text)).toEqual({ outcome: 'ignored', version, current: 3 })
  })

  const texts: [string, string][] = [
    ['', 'the update is ""; it takes a JSON object'],
    ['{"version":', 'the update is "{\\"version\\":"; it takes a JSON object'],
    ['[4]', 'the update is [4]; it takes a JSON object'],
    ['null', 'the update is null; it takes a JSON object'],
  ]
  test.each(texts)('refuses %j', (text, message) => {
    expect(mergeUpdate(file, text)).toMatchObject({ outcome: 'refused', faults: [{ message }] })
  })

  test('asks the program, which may refuse', () => {
    const check = () => {
      throw new Error('pin 16 is taken')
    }
    const text = '{"version":4,"update_interval":60}'
    expect(mergeUpdate(file, text, { check })).toMatchObject({
      outcome: 'refused',
      faults: [{ message: 'pin 16 is taken' }],
    })
  })

  test('whatever comes, it gives an answer, and the file stays what it was', () => {
    const before = JSON.stringify(file)
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.object().map((each) => JSON.stringify({ ...each, version: 9 })),
        ),
        (text) => {
          expect(['applied', 'ignored', 'refused']).toContain(mergeUpdate(file, text).outcome)
          expect(JSON.stringify(file)).toBe(before)
        },
      ),
    )
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })
})
