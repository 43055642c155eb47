import { expect, test } from 'vitest'
import { seeded } from './random.ts'
import { VirtualClock } from './virtual-clock.ts'

const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

test('run() calls back in the order of time, and of setting within one moment', async () => {
  const clock = new VirtualClock(1000)
  const random = seeded('timers')
  const called: [number, number][] = []
  const expected = Array.from({ length: 500 }, (_, i): [number, number] => {
    const at = 1000 + Math.floor(random() * 50)
    clock.after(at - 1000, () => called.push([clock.now(), i]))
    return [at, i]
  }).sort(([a, i], [b, j]) => a - b || i - j)
  await clock.run(2000, settled)
  expect(called).toEqual(expected)
  expect(clock.now()).toBe(2000)
})

test('run() lets what awaits a timer go on at that moment', async () => {
  const clock = new VirtualClock()
  const seen: number[] = []
  const sleep = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve))
  const walk = async () => {
    for (let i = 0; i < 3; i++) {
      await sleep(10)
      await null
      seen.push(clock.now())
    }
  }
  const done = walk()
  clock.after(15, () => seen.push(-clock.now()))
  await clock.run(100, settled)
  await done
  expect(seen).toEqual([10, -15, 20, 30])
})

test('run() leaves what is due later, and what was taken back', async () => {
  const clock = new VirtualClock()
  const seen: string[] = []
  clock.after(10, () => seen.push('kept'))
  clock.after(5, () => seen.push('taken back'))()
  clock.after(11, () => seen.push('later'))
  await clock.run(10, settled)
  expect(seen).toEqual(['kept'])
  await clock.run(11, settled)
  expect(seen).toEqual(['kept', 'later'])
})
