import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  Counter,
  climateSensors,
  type DeviceDescription,
  DISCOVERY_FIELDS,
  discoveryFaults,
  discoveryMessages,
  EFFECT_NAMES,
  type FieldPlace,
  MotionSensor,
  simulatedBattery,
  simulatedClimate,
} from '../src/index.ts'
import { homeAssistantGuide } from './home-assistant-guide.ts'

const root = join(import.meta.dirname, '../../..')
const page = join(root, 'docs/guide/home-assistant.md')

/** Everything that can be said of a device. */
const full: DeviceDescription = {
  id: 'd1',
  name: 'One',
  light: true,
  sensors: [
    ...Object.values(climateSensors(simulatedClimate())),
    new MotionSensor(),
    simulatedBattery(),
    new Counter(),
  ],
  expireAfterSeconds: 90,
  manufacturer: 'm',
  model: 'm',
  serialNumber: 's',
  hardwareVersion: '1',
  softwareVersion: '2',
  suggestedArea: 'Hall',
  configurationUrl: 'http://d1.local',
  connections: [['mac', '02:5b:26:a8:dc:12']],
}

// After a change of the table or the page: vitest run packages/device/test/home-assistant-guide.test.ts -u
test('the table of fields made the guide', async () => {
  const example = readFileSync(join(root, 'examples/home-assistant.ts'), 'utf8')
  await expect(homeAssistantGuide(example)).toMatchFileSnapshot(page)
})

test('the guide lists each field of the table where it stands, with its meaning, and no other', () => {
  const sections = readFileSync(page, 'utf8').split('\n### ').slice(1)
  const places: FieldPlace[] = [
    'device form',
    'light',
    'sensor',
    'binary_sensor',
    'device',
    'origin',
    'availability',
  ]
  expect(sections).toHaveLength(places.length)
  sections.forEach((section, i) => {
    const rows = [...section.matchAll(/^\| \**`(\S+)`\** \| (?:`(\S+)`)? *\| .* \| (.+) \|$/gm)]
    const wanted = DISCOVERY_FIELDS.filter((field) => field.in.includes(places[i] as FieldPlace))
    expect(rows.map(([, name, short, meaning]) => ({ name, short, meaning }))).toEqual(
      wanted.map(({ name, short, meaning }) => ({ name, short, meaning })),
    )
  })
})

test('the table has each name once in a place, long or short', () => {
  const places = new Set(DISCOVERY_FIELDS.flatMap((field) => field.in))
  for (const place of places) {
    const fields = DISCOVERY_FIELDS.filter((field) => field.in.includes(place))
    const names = fields.flatMap(({ name, short }) => (short === undefined ? [name] : [name, short]))
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([])
  }
})

test('what is announced has no fault, and every field of it is in the guide', () => {
  const origin = { name: 'me', softwareVersion: '1', supportUrl: 'https://me.example' }
  const guide = readFileSync(page, 'utf8')
  for (const form of ['device', 'single'] as const) {
    for (const { topic, payload } of discoveryMessages(full, { form, origin })) {
      expect(discoveryFaults(topic, payload)).toEqual([])
      const names = namesIn(JSON.parse(payload))
      expect(names.length).toBeGreaterThan(10)
      for (const name of names) expect(guide).toMatch(new RegExp(`^\\|.*\`${name}\`\\** \\|`, 'm'))
    }
  }
})

test('the guide names each effect of a light', () => {
  const guide = readFileSync(page, 'utf8')
  for (const effect of EFFECT_NAMES) expect(guide).toContain(`\`${effect}\``)
})

/** Every field's name as it is sent; the components' identifiers are the device's own. */
function namesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) return value.flatMap(namesIn)
  return Object.entries(value as Record<string, unknown>).flatMap(([name, inner]) => [
    name,
    ...(name === 'cmps' ? Object.values(inner as object).flatMap(namesIn) : namesIn(inner)),
  ])
}
