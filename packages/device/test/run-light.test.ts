import { expect, test } from 'vitest'
import { DARK, type LightState, type Rgbw, runLight } from '../src/index.ts'
import { HandClock, HandLink } from './hand.ts'

const first = { on: false, r: 0, g: 0, b: 0, w: 255, brightness: 255, effect: 'none' }
const retained = { qos: 1, retain: true }

async function running(prefix?: string) {
  const link = new HandLink()
  const clock = new HandClock()
  const shown: [Rgbw, LightState][] = []
  const faults: Error[] = []
  const light = await runLight(link, {
    prefix,
    clock,
    onShow: (colour, state) => void shown.push([colour, state]),
    onFault: (error) => void faults.push(error),
  })
  return { link, clock, shown, faults, light }
}

test('runLight() subscribes its control topic, says online and its state, retained', async () => {
  const { link, shown } = await running()
  expect(link.subscribed).toEqual(['sensors/esp32-s3/led/control'])
  expect(await link.heard(2)).toEqual([
    { topic: 'sensors/esp32-s3/status', payload: 'online', options: retained },
    { topic: 'sensors/esp32-s3/led/state', payload: JSON.stringify(first), options: retained },
  ])
  expect(shown).toEqual([[DARK, first]])
})

test('runLight() obeys a command, shows it and says the new state', async () => {
  const { link, shown } = await running('home/lamp')
  await link.heard(2)
  link.tell('{"action":"set_color","r":255,"g":0,"b":0,"w":0}')
  const state = { ...first, on: true, r: 255, w: 0 }
  expect(await link.heard(1)).toEqual([
    { topic: 'home/lamp/led/state', payload: JSON.stringify(state), options: retained },
  ])
  expect(shown.at(-1)).toEqual([{ r: 255, g: 0, b: 0, w: 0 }, state])
})

test('runLight() answers a bad command on led/error and changes nothing', async () => {
  const { link, shown, faults, light } = await running()
  await link.heard(2)
  link.tell('{"action":"set_color","r":300,"g":0,"b":0,"w":0}')
  const [answer] = await link.heard(1)
  expect(answer?.topic).toBe('sensors/esp32-s3/led/error')
  expect(answer?.options).toEqual({ qos: 1, retain: false })
  expect(JSON.parse(answer?.payload ?? '')).toEqual({
    error: 'r is 300; it takes a whole number from 0 to 255',
    field: 'r',
    given: 300,
    expected: 'it takes a whole number from 0 to 255',
  })
  expect(light.light.state).toEqual(first)
  expect(shown).toHaveLength(1)
  expect(faults).toHaveLength(1)
})

test('runLight() moves an effect by its clock, and rests without a timer when it is over', async () => {
  const { link, clock, shown } = await running()
  await link.heard(2)
  expect(clock.waiting).toBe(0)
  link.tell('{"action":"fade","r":0,"g":200,"b":0,"w":0,"duration_ms":100}')
  await link.heard(1)
  clock.pass(100)
  expect(shown.map(([colour]) => colour.g)).toEqual([0, 0, 40, 80, 120, 160, 200])
  const [settled] = await link.heard(1)
  expect(JSON.parse(settled?.payload ?? '')).toMatchObject({ on: true, g: 200, effect: 'none' })
  expect(clock.waiting).toBe(0)
})

test('runLight() without onShow sets a timer only for the end of a fade', async () => {
  const link = new HandLink()
  const clock = new HandClock()
  await runLight(link, { clock })
  await link.heard(2)
  link.tell('{"action":"rainbow"}')
  await link.heard(1)
  expect(clock.waiting).toBe(0)
  link.tell('{"action":"fade","r":0,"g":200,"b":0,"w":0}')
  await link.heard(1)
  expect(clock.waiting).toBe(1)
  clock.pass(1000)
  expect(await link.heard(1)).toHaveLength(1)
  expect(clock.waiting).toBe(0)
})

test('runLight() says online and its state again when the connection came back', async () => {
  const { link } = await running()
  await link.heard(2)
  link.reconnect()
  expect((await link.heard(2)).map((said) => said.payload)).toEqual(['online', JSON.stringify(first)])
})

test('runLight() goes on after a publish that failed, and tells of it', async () => {
  const { link, faults, light } = await running()
  await link.heard(2)
  link.failing = new Error('no connection')
  link.tell('{"action":"on"}')
  link.tell('nonsense')
  link.end()
  await light.done
  expect(faults.map((fault) => fault.message)).toEqual([
    'no connection',
    expect.stringMatching(/^the command is not JSON/),
    'no connection',
  ])
  expect(light.light.state.on).toBe(true)
})

test('stop() says offline once and leaves no timer', async () => {
  const { link, clock, light } = await running()
  await link.heard(2)
  link.tell('{"action":"blink"}')
  await link.heard(1)
  await light.stop()
  await light.stop()
  expect(link.said).toEqual([{ topic: 'sensors/esp32-s3/status', payload: 'offline', options: retained }])
  expect(clock.waiting).toBe(0)
})

test('runLight() refuses a prefix that no topic can have', async () => {
  await expect(runLight(new HandLink(), { prefix: 'a/#' })).rejects.toThrow(/prefix is "a\/#"/)
})

test('runLight() with homeAssistant obeys its JSON schema too and says both states, retained', async () => {
  const link = new HandLink()
  await runLight(link, { clock: new HandClock(), homeAssistant: true })
  expect(link.subscribed).toEqual(['sensors/esp32-s3/led/control', 'sensors/esp32-s3/led/ha/set'])
  expect((await link.heard(3)).map(({ topic }) => topic)).toContain('sensors/esp32-s3/led/ha/state')
  link.tell('{"brightness":100}', 'sensors/esp32-s3/led/ha/set')
  link.tell('{"state":"ON","color":{"g":7}}', 'sensors/esp32-s3/led/ha/set')
  const said = (await link.heard(4)).filter(({ topic }) => topic.endsWith('/ha/state'))
  expect(said.map(({ options }) => options)).toEqual([retained, retained])
  expect(JSON.parse(said[1]?.payload ?? '')).toEqual({
    state: 'ON',
    brightness: 100,
    color_mode: 'rgbw',
    color: { r: 0, g: 7, b: 0, w: 255 },
    effect: 'none',
  })
  link.tell('{"brightness":300}', 'sensors/esp32-s3/led/ha/set')
  const [answer] = await link.heard(1)
  expect(answer?.topic).toBe('sensors/esp32-s3/led/error')
  expect(JSON.parse(answer?.payload ?? '')).toMatchObject({ field: 'brightness', given: 300 })
})

test('runLight() tells the times of a command that someone follows', async () => {
  const link = new HandLink()
  let micros = 1000
  const traceClock = { name: 'hand', now: () => micros++ }
  await runLight(link, { clock: new HandClock(), traceClock })
  await link.heard(2)
  const followed = { userProperties: [['a', 'b'] as const, ['pipit-trace', 'abc'] as const] }
  link.tell('{"action":"on"}', undefined, followed)
  const [times, state] = await link.heard(2)
  expect(times?.topic).toBe('sensors/esp32-s3/led/trace')
  expect(JSON.parse(times?.payload ?? '')).toEqual({
    id: 'abc',
    clock: 'hand',
    received: 1000,
    updated: 1001,
  })
  expect(state?.topic).toBe('sensors/esp32-s3/led/state')
  link.tell('{"action":"oops"}', undefined, followed)
  const [refused] = await link.heard(2)
  expect(JSON.parse(refused?.payload ?? '')).toMatchObject({
    refused: expect.stringMatching(/^action is "oops"/),
  })
  link.tell('{"action":"on"}')
  expect((await link.heard(1))[0]?.topic).toBe('sensors/esp32-s3/led/state')
})

test('runLight() tells what the wires get, after gamma and the power limit', async () => {
  const link = new HandLink()
  const currents: number[] = []
  await runLight(link, {
    clock: new HandClock(),
    output: { power: { limitMilliamperes: 15 } },
    onShow: (_, __, { milliamperes }) => void currents.push(milliamperes),
  })
  await link.heard(2)
  link.tell('{"action":"on"}')
  await link.heard(1)
  expect(currents[0]).toBe(0)
  expect(currents[1]).toBeLessThanOrEqual(15)
  expect(currents[1]).toBeGreaterThan(14.9)
})
