import { describe, expect, test } from 'vitest'
import { program } from '../interop.ts'
import { tortureLinks } from './links.ts'

const why =
  program('mosquitto') === undefined
    ? 'skipped: mosquitto is not installed (apt-get install mosquitto)'
    : 'with Mosquitto'

// The full form: npm run torture -- links --restarts 20
describe.skipIf(program('mosquitto') === undefined)(`a link, ${why}`, () => {
  test.each([
    ['pipit', 'mqttv311'],
    ['pipit', 'mqttv50'],
    ['mosquitto', 'mqttv311'],
  ] as const)(
    'of %s, %s: both ways, six restarts, nothing lost at QoS 1',
    async (linkAt, version) => {
      const result = await tortureLinks({ restarts: 6, linkAt, version, between: 20 })
      expect(result).toMatchObject({ restarts: 6, out: { lost: 0 }, in: { lost: 0 } })
      expect(result.out.acknowledged).toBeGreaterThan(100)
      expect(result.in.acknowledged).toBeGreaterThan(100)
    },
    240_000,
  )

  test('killed three times with its broker it loses nothing and repeats nothing at QoS 2', async () => {
    const result = await tortureLinks({ restarts: 3, qos: 2, onlyKills: true, between: 20 })
    expect(result).toMatchObject({ out: { lost: 0, repeated: 0 }, in: { lost: 0, repeated: 0 } })
    expect(result.in.acknowledged).toBeGreaterThan(50)
  }, 240_000)
})
