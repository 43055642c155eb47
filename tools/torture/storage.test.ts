import { expect, test } from 'vitest'
import { canMount } from './small-disk.ts'
import { describe as inWords, torture } from './storage.ts'

test('a broker killed ten times under load loses nothing, repeats nothing at QoS 2, and keeps order and retained values', async () => {
  const result = await torture({ rounds: 10, broker: 'pipit' })
  expect(inWords(result)).toContain(
    '0 lost, 0 duplicated at QoS 2, 0 out of order, 0 retained values wrong, 0 sessions lost',
  )
  expect(result.messages).toBeGreaterThan(500)
}, 180_000)

test.skipIf(!canMount())(
  'the same with a disk that is full now and then (needs root and tmpfs)',
  async () => {
    const result = await torture({ rounds: 6, broker: 'pipit', fullDisk: true })
    expect(inWords(result)).toContain(
      '0 lost, 0 duplicated at QoS 2, 0 out of order, 0 retained values wrong, 0 sessions lost',
    )
    expect(result.messages).toBeGreaterThan(0)
  },
  180_000,
)
