import { describe, expect, test } from 'vitest'
import { readConfiguration } from './configuration.ts'
import { ConfigurationError } from './errors.ts'
import { camelCase } from './section.ts'
import { isCamelCase, withKeptMessages, withReconnectState } from './write.ts'

/** Every key, as the Python projects write it. */
const file = {
  enabled: true,
  client_id: 'esp32-s3',
  broker: '192.168.1.10',
  port: 1884,
  username: 'ann',
  password: 'secret',
  keepalive: 30,
  ssl: true,
  use_esp32_client: false,
  topic_data_prefix: 'home/data',
  topic_config: 'home/config',
  load_config_from_mqtt: true,
  config_wait_time: 2.5,
  reconnect: {
    enabled: true,
    max_attempts: 4,
    attempt_count: 5,
    last_attempt_time: 1_767_571_200.5,
    backoff_factor: 3,
    min_interval: 60,
    max_interval: 600,
  },
}

const read = {
  enabled: true,
  clientId: 'esp32-s3',
  broker: '192.168.1.10',
  port: 1884,
  username: 'ann',
  password: 'secret',
  keepalive: 30,
  ssl: true,
  useEsp32Client: false,
  topicDataPrefix: 'home/data',
  topicConfig: 'home/config',
  loadConfigFromMqtt: true,
  configWaitTime: 2.5,
  simulate: false,
  reconnect: {
    enabled: true,
    maxAttempts: 4,
    backoffFactor: 3,
    minInterval: 60,
    maxInterval: 600,
    spread: 0,
  },
  reconnectState: { attemptCount: 5, lastAttemptTime: 1_767_571_200.5 },
  version: 0,
  updateInterval: 600,
}

function inCamelCase(value: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      camelCase(key),
      typeof each === 'object' && each !== null ? inCamelCase(each) : each,
    ]),
  )
}

describe('readConfiguration()', () => {
  test('reads every key in snake_case, in camelCase, and in the object mqtt of a file', () => {
    expect(readConfiguration(file)).toEqual(read)
    expect(readConfiguration(inCamelCase(file))).toEqual(read)
    expect(readConfiguration({ version: 7, mqtt: file, displays: {} })).toEqual({ ...read, version: 7 })
  })

  test('has the defaults of the Python projects', () => {
    expect(readConfiguration({ client_id: 'a', broker: 'b' })).toMatchObject({
      enabled: true,
      port: 1883,
      keepalive: 60,
      ssl: false,
      useEsp32Client: true,
      loadConfigFromMqtt: false,
      reconnect: { maxAttempts: 3, backoffFactor: 2, minInterval: 3600, maxInterval: 21_600 },
      reconnectState: { attemptCount: 0, lastAttemptTime: 0 },
    })
    expect(readConfiguration({ client_id: 'a', broker: 'b', ssl: true }).port).toBe(8883)
  })

  test('puts the file’s device_id where a text says {device_id}, and takes it for the client’s name', () => {
    const whole = { device_id: 'porch', mqtt: { broker: 'b', topic_config: '/home/{device_id}/config' } }
    expect(readConfiguration(whole)).toMatchObject({ clientId: 'porch', topicConfig: '/home/porch/config' })
  })

  test('does not ask what is switched off to be complete', () => {
    expect(readConfiguration({ enabled: false }).enabled).toBe(false)
  })

  const bad: [object, string, string][] = [
    [{ broker: '' }, 'broker', 'broker is missing; it takes text, such as "192.168.1.10"'],
    [{ client_id: 7 }, 'client_id', 'client_id is 7; it takes text, such as "esp32-s3"'],
    [{ port: '1883' }, 'port', 'port is "1883"; it takes a whole number from 1 to 65535'],
    [{ port: 65_536 }, 'port', 'port is 65536; it takes a whole number from 1 to 65535'],
    [{ keepalive: -1 }, 'keepalive', 'keepalive is -1; it takes a whole number from 0 to 65535'],
    [{ ssl: 'yes' }, 'ssl', 'ssl is "yes"; it takes true or false'],
    [{ enabled: 1 }, 'enabled', 'enabled is 1; it takes true or false'],
    [
      { config_wait_time: null },
      'config_wait_time',
      'config_wait_time is null; it takes a number from 0 to 3600',
    ],
    [
      { topic_data_prefix: 'home/#' },
      'topic_data_prefix',
      'topic_data_prefix is "home/#"; it takes a topic without # and +, and without a slash at its end',
    ],
    [{ topic_config: 'a/+' }, 'topic_config', 'topic_config is "a/+"; it takes a topic without # and +'],
    [
      { load_config_from_mqtt: true },
      'topic_config',
      'topic_config is missing; load_config_from_mqtt needs it',
    ],
    [{ reconnect: [] }, 'reconnect', 'reconnect is []; it takes an object'],
    [
      { reconnect: { max_attempts: 0 } },
      'reconnect.max_attempts',
      'reconnect.max_attempts is 0; it takes a whole number from 1 to 1000',
    ],
    [
      { reconnect: { min_interval: 100, max_interval: 50 } },
      'reconnect.max_interval',
      'reconnect.max_interval is 50; it takes no less than min_interval (100)',
    ],
    [
      { reconnect: { backoffFactor: 0.5 } },
      'reconnect.backoffFactor',
      'reconnect.backoffFactor is 0.5; it takes a number from 1 to 100',
    ],
    [{ clientId: 'b' }, 'client_id', 'client_id stands beside clientId; keep one of them'],
    [{ simulate: 'maybe' }, 'simulate', 'simulate is "maybe"; it takes true, false, "if-no-broker"'],
    [{ update_interval: 0 }, 'update_interval', 'update_interval is 0; it takes a number from 1 to 31536000'],
  ]
  test.each(bad)('refuses %j and names the key', (change, key, message) => {
    const fault = { key, message }
    expect(caught(() => readConfiguration({ client_id: 'a', broker: 'b', ...change })).faults).toEqual([
      fault,
    ])
  })

  test('names every key that is wrong, as the file writes them', () => {
    const error = caught(() => readConfiguration({ mqtt: { clientId: 'a', port: 0, keepalive: 'x' } }))
    expect(error.faults.map(({ key }) => key)).toEqual(['mqtt.broker', 'mqtt.port', 'mqtt.keepalive'])
    expect(error.code).toBe('CONFIGURATION_REFUSED')
  })

  test('takes notes of its own that make no sense for none', () => {
    const reconnect = { attempt_count: 'many', last_attempt_time: -5, waited: Number.NaN }
    const { reconnectState } = readConfiguration({ client_id: 'a', broker: 'b', reconnect })
    expect(reconnectState).toEqual({ attemptCount: 0, lastAttemptTime: 0 })
  })
})

describe('withReconnectState()', () => {
  const state = { attemptCount: 2, lastAttemptTime: 9 }

  test('keeps unknown keys, the order and the style of a file', () => {
    const before = { a: 1, mqtt: { zeta: true, ...file, reconnect: { own: 'x', ...file.reconnect } }, b: 2 }
    const after = withReconnectState(before, state)
    const reconnect = { ...before.mqtt.reconnect, attempt_count: 2, last_attempt_time: 9 }
    expect(JSON.stringify(after)).toBe(JSON.stringify({ ...before, mqtt: { ...before.mqtt, reconnect } }))
  })

  test('writes camelCase where the file does, and snake_case where nothing says', () => {
    expect(withReconnectState({ clientId: 'a' }, state)).toEqual({
      clientId: 'a',
      reconnect: { attemptCount: 2, lastAttemptTime: 9 },
    })
    expect(withReconnectState({ broker: 'b' }, state)).toEqual({
      broker: 'b',
      reconnect: { attempt_count: 2, last_attempt_time: 9 },
    })
    expect(isCamelCase({ clientId: 'a' })).toBe(true)
  })

  test('takes away a count that is over', () => {
    const counting = withReconnectState({ broker: 'b' }, { ...state, waited: 600, shortened: 0.1 })
    expect(withReconnectState(counting, state)).toEqual(withReconnectState({ broker: 'b' }, state))
  })
})

test('withKeptMessages() puts messages into a file and takes the key away with the last of them', () => {
  const messages = [{ topic: 'a', payload: '1' }]
  expect(withKeptMessages({ clientId: 'a' }, messages)).toEqual({ clientId: 'a', keptMessages: messages })
  expect(withKeptMessages({ a: 1, kept_messages: messages }, [])).toEqual({ a: 1 })
})

function caught(work: () => unknown): ConfigurationError {
  try {
    work()
  } catch (error) {
    if (error instanceof ConfigurationError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
