import { describe, expect, test } from 'vitest'
import { simulatedBattery } from '../sensors/battery.ts'
import { climateSensors, simulatedClimate } from '../sensors/climate.ts'
import { Counter } from '../sensors/counter.ts'
import { MotionSensor } from '../sensors/motion.ts'
import { type DeviceDescription, discoveryMessages } from './describe.ts'
import { abbreviated, expanded, isConfig } from './expand.ts'
import { discoveryTopic, readDiscoveryTopic } from './topics.ts'
import { discoveryFaults } from './validate.ts'

const { temperature, humidity } = climateSensors(simulatedClimate())
const lamp: DeviceDescription = {
  id: 'esp32-01',
  name: 'Lamp',
  prefix: 'home/lamp',
  light: true,
  sensors: [temperature, humidity, new MotionSensor(), simulatedBattery(), new Counter()],
  manufacturer: 'Pipit',
  connections: [['mac', '02:5b:26:a8:dc:12']],
}

function parsed(payload: string | undefined): Record<string, unknown> {
  const value: unknown = JSON.parse(payload ?? '')
  if (!isConfig(value)) throw new Error(`${payload} is no object`)
  return value
}

test('discoveryMessages() device form has one message with everything', () => {
  const [message, ...others] = discoveryMessages(lamp)
  expect(others).toEqual([])
  expect(message?.topic).toBe('homeassistant/device/esp32-01/config')
  const config = parsed(message?.payload)
  expect(config).toMatchObject({
    dev: { ids: ['esp32-01'], name: 'Lamp', mf: 'Pipit' },
    o: { name: '@pipit/device' },
    avty_t: 'home/lamp/status',
  })
  expect(Object.keys(config['cmps'] as object)).toEqual([
    'light',
    'temperature',
    'humidity',
    'motion',
    'battery',
    'count',
  ])
  expect((config['cmps'] as Record<string, unknown>)['temperature']).toEqual({
    p: 'sensor',
    uniq_id: 'esp32-01_temperature',
    def_ent_id: 'sensor.esp32_01_temperature',
    name: 'Temperature',
    stat_t: 'home/lamp/temperature',
    val_tpl: "{{ value_json['temperature'] }}",
    dev_cla: 'temperature',
    unit_of_meas: '°C',
    stat_cla: 'measurement',
    sug_dsp_prc: 2,
    qos: 1,
  })
})

test('discoveryMessages() single form has a message for each component, below the device', () => {
  const messages = discoveryMessages(lamp, { form: 'single', longNames: true, discoveryPrefix: 'ha' })
  expect(messages.map(({ topic }) => topic)).toEqual([
    'ha/light/esp32-01/light/config',
    'ha/sensor/esp32-01/temperature/config',
    'ha/sensor/esp32-01/humidity/config',
    'ha/binary_sensor/esp32-01/motion/config',
    'ha/sensor/esp32-01/battery/config',
    'ha/sensor/esp32-01/count/config',
  ])
  const light = parsed(messages[0]?.payload)
  expect(light).not.toHaveProperty('platform')
  expect(light).toMatchObject({
    schema: 'json',
    command_topic: 'home/lamp/led/ha/set',
    device: { name: 'Lamp' },
  })
})

test.each(['device', 'single'] as const)(
  'discoveryMessages() in the %s form have no fault, long or short',
  (form) => {
    for (const longNames of [true, false]) {
      for (const { topic, payload } of discoveryMessages(lamp, { form, longNames })) {
        expect(discoveryFaults(topic, payload)).toEqual([])
      }
    }
  },
)

test('abbreviated() and expanded() undo each other', () => {
  const [message] = discoveryMessages(lamp, { longNames: true })
  const long = parsed(message?.payload)
  const short = abbreviated(long, 'device form')
  expect(JSON.stringify(short).length).toBeLessThan(JSON.stringify(long).length * 0.9)
  expect(expanded(short, 'device form')).toEqual(long)
  const availability = { availability: [{ topic: 'a', payload_available: 'b' }], other: 1 }
  expect(abbreviated(availability, 'light')).toEqual({ avty: [{ t: 'a', pl_avail: 'b' }], other: 1 })
})

test('discoveryMessages() refuses what cannot be announced', () => {
  expect(() => discoveryMessages({ id: 'x', name: 'x' })).toThrow('x has neither a light nor a sensor')
  expect(() => discoveryMessages({ id: 'a/b', name: 'x', light: true })).toThrow(
    '"a/b" cannot stand in a discovery topic',
  )
})

test('discoveryTopic() and readDiscoveryTopic() agree', () => {
  for (const nodeId of [undefined, 'node']) {
    const topic = { component: 'light', nodeId, objectId: 'lamp' }
    expect(readDiscoveryTopic(discoveryTopic(topic, 'a/b'), 'a/b')).toEqual(topic)
  }
  expect(readDiscoveryTopic('other/light/x/config')).toMatch(/^the topic is "other/)
  for (const wrong of ['light/config', 'light/x/conf', 'light/a/b/c/config', 'light/ü/config', '']) {
    expect(readDiscoveryTopic(`homeassistant/${wrong}`)).toEqual(expect.stringMatching(/^the topic (is|has)/))
  }
})

const LIGHT = 'homeassistant/light/lamp/config'
const SENSOR = 'homeassistant/sensor/node/t/config'
const BINARY = 'homeassistant/binary_sensor/m/config'
const DEVICE = 'homeassistant/device/d/config'
const light = { schema: 'json', command_topic: 'a' }
const dev = { identifiers: 'x' }
const o = { name: 'me' }
const t = { p: 'sensor', unique_id: 'u', state_topic: 's' }

const right: [string, string, unknown][] = [
  ['a light with two fields', LIGHT, light],
  ['short names', LIGHT, { schema: 'json', cmd_t: 'a', uniq_id: 'u', dev: { ids: ['x'] } }],
  ['a base topic', LIGHT, { '~': 'home/lamp', schema: 'json', cmd_t: '~/set', stat_t: '~/state' }],
  ['a sensor', SENSOR, { state_topic: 's', device_class: null, unit_of_measurement: '°C' }],
  ['an enum', SENSOR, { stat_t: 's', dev_cla: 'enum', ops: ['a', 'b'] }],
  ['a total', SENSOR, { stat_t: 's', stat_cla: 'total', lrst_val_tpl: 'x', ent_cat: 'diagnostic' }],
  ['a binary sensor', BINARY, { stat_t: 's', dev_cla: 'motion', off_dly: 5 }],
  ['the device form', DEVICE, { dev, o, cmps: { t } }],
  ['a state topic for all', DEVICE, { dev, o, stat_t: 's', cmps: { a: { p: 'sensor', unique_id: 'u' } } }],
  [
    'a command topic for the lights',
    DEVICE,
    { dev, o, cmd_t: 'c', cmps: { t, l: { p: 'light', schema: 'json', uniq_id: 'l' } } },
  ],
  ['the removal of a component', DEVICE, { dev, o, cmps: { t, gone: { p: 'light' } } }],
  ['a migration', SENSOR, { migrate_discovery: true }],
  ['availability as a list', LIGHT, { ...light, avty: [{ t: 'a' }, { topic: 'b', val_tpl: 'x' }] }],
]

test.each(right)('discoveryFaults() finds none in %s', (_, topic, config) => {
  expect(discoveryFaults(topic, JSON.stringify(config))).toEqual([])
})

test('discoveryFaults() takes an empty payload for a removal', () => {
  expect(discoveryFaults(LIGHT, '')).toEqual([])
  expect(discoveryFaults(DEVICE, new Uint8Array(0))).toEqual([])
})

const wrong: [unknown, string, string][] = [
  [{}, LIGHT, 'schema is missing'],
  [{ schema: 'json' }, LIGHT, 'command_topic is missing'],
  [{ ...light, schema: 'basic' }, LIGHT, 'schema is "basic"; it takes json'],
  [
    { ...light, object_id: 'x' },
    LIGHT,
    'object_id is not documented: Home Assistant 2026.4 removed it; default_entity_id takes its place',
  ],
  [{ ...light, brightnes: true }, LIGHT, 'brightnes is not documented'],
  [{ ...light, cmd_t: 'b' }, LIGHT, 'command_topic stands twice'],
  [{ ...light, brightness: 1 }, LIGHT, 'brightness is 1; it takes true or false'],
  [{ ...light, command_topic: 'a/#' }, LIGHT, 'command_topic: '],
  [{ ...light, state_topic: '' }, LIGHT, 'state_topic: '],
  [{ ...light, qos: 3 }, LIGHT, 'qos is 3; it takes 0, 1 or 2'],
  [{ ...light, name: 5 }, LIGHT, 'name is 5; it takes text or null'],
  [{ ...light, effect_list: 5 }, LIGHT, 'effect_list is 5; it takes text or list of text'],
  [{ ...light, sup_clrm: ['rgb', 'cmyk'] }, LIGHT, 'supported_color_modes is "cmyk"; it takes onoff,'],
  [
    { ...light, sup_clrm: ['rgb', 'onoff'] },
    LIGHT,
    'supported_color_modes: onoff and brightness stand alone',
  ],
  [{ ...light, min_mireds: 500, max_mireds: 153 }, LIGHT, 'min_mireds is above max_mireds'],
  [{ ...light, device: dev }, LIGHT, 'unique_id is missing: a device needs it'],
  [{ ...light, unique_id: 'u', device: { name: 'x' } }, LIGHT, 'device takes identifiers or connections'],
  [
    { ...light, unique_id: 'u', device: { ids: 'x', colour: 'red' } },
    LIGHT,
    'device.colour is not documented',
  ],
  [
    { ...light, unique_id: 'u', device: { cns: [['mac']] } },
    LIGHT,
    'device.connections is [["mac"]]; it takes list of pairs',
  ],
  [{ ...light, origin: {} }, LIGHT, 'origin.name is missing'],
  [
    { ...light, avty_t: 'a', avty: [{ t: 'b' }] },
    LIGHT,
    'availability and availability_topic exclude each other',
  ],
  [{ ...light, availability: [{}] }, LIGHT, 'availability[0].topic is missing'],
  [{ ...light, platform: 'light' }, LIGHT, 'platform is only for the device form'],
  [
    { ...light, default_entity_id: 'lamp' },
    LIGHT,
    'default_entity_id is "lamp"; it takes a whole entity id such as light.lamp',
  ],
  [
    { state_topic: 's', device_class: 'motion' },
    SENSOR,
    'device_class is "motion"; it takes apparent_power,',
  ],
  [{ state_topic: 's', state_class: 'total_decreasing' }, SENSOR, 'state_class is "total_decreasing"'],
  [{ state_topic: 's', expire_after: -1 }, SENSOR, 'expire_after is -1; it takes a whole number from 0 on'],
  [{ state_topic: 's', options: ['a'] }, SENSOR, 'options needs the device_class enum'],
  [
    { state_topic: 's', options: ['a'], device_class: 'enum', state_class: 'total' },
    SENSOR,
    'options and state_class exclude each other',
  ],
  [{ state_topic: 's', lrst_val_tpl: 'x' }, SENSOR, 'last_reset_value_template needs the state_class total'],
  [{ state_topic: 's', ent_cat: 'config' }, SENSOR, 'entity_category of a sensor takes diagnostic only'],
  [{}, BINARY, 'state_topic is missing'],
  [{ cmps: { t } }, DEVICE, 'device is missing'],
  [{ dev, o }, DEVICE, 'components is missing'],
  [{ dev, o, cmps: {} }, DEVICE, 'components is empty'],
  [
    { dev, o, cmps: { t: { ...t, p: 'lamp' } } },
    DEVICE,
    'components.t.platform takes light, sensor, binary_sensor',
  ],
  [{ dev, o, cmps: { t: { p: 'sensor', stat_t: 's' } } }, DEVICE, 'components.t.unique_id is missing'],
  [{ dev, o, cmps: { t: { p: 'sensor', uniq_id: 's' } } }, DEVICE, 'components.t.state_topic is missing'],
  [{ dev, o, cmps: { t, u: t } }, DEVICE, 'components.u.unique_id stands twice'],
  [{ dev, o, cmps: { t: { ...t, dev } } }, DEVICE, 'components.t.device stands at the root'],
  [{ dev, o, cmps: { 'a b': t } }, DEVICE, 'components.a b: an identifier takes letters'],
  [{ migrate_discovery: 'yes' }, SENSOR, 'migrate_discovery stands alone, and is true'],
  [{ migrate_discovery: true, state_topic: 's' }, SENSOR, 'migrate_discovery stands alone'],
]

describe.each(wrong)('discoveryFaults() of %j', (config, topic, fault) => {
  test(`is: ${fault}`, () => {
    expect(discoveryFaults(topic, JSON.stringify(config))).toContainEqual(expect.stringContaining(fault))
  })
})

test('discoveryFaults() of what is no configuration', () => {
  expect(discoveryFaults(LIGHT, '{')).toEqual(['the payload is not JSON'])
  expect(discoveryFaults(LIGHT, '[]')).toEqual(['the payload is no JSON object'])
  expect(discoveryFaults('homeassistant/fan/x/config', '{}')).toEqual([
    expect.stringContaining('"fan" is not known here'),
  ])
  expect(discoveryFaults('homeassistant/status', 'online')).toEqual([
    expect.stringContaining('a discovery topic is'),
  ])
})
