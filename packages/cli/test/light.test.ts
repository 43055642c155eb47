import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noMosquitto, noMosquittoClients, Processes, type Running } from './processes.ts'

const processes = new Processes()

afterAll(() => processes.end())

const brokers = [
  { name: 'our broker', start: () => processes.broker(), skipped: undefined },
  { name: "Debian's mosquitto", start: () => processes.mosquitto(), skipped: noMosquitto },
]
const RED = '{"action":"set_color","r":255,"g":0,"b":0,"w":0}'
const first = { on: false, r: 0, g: 0, b: 0, w: 255, brightness: 255, effect: 'none' }

describe.each(brokers)('pipit device led against $name', ({ start, skipped }) => {
  const onBroker = test.skipIf(skipped !== undefined)
  let port = ''
  let light: Running

  beforeAll(async () => {
    if (skipped !== undefined) return
    port = String((await start()).port)
    light = processes.pipit(['device', 'led', '--port', port])
    await light.says(/connected to localhost/)
  })

  /** One message of a topic; retained ones come at once. */
  const one = async (topic: string) =>
    (await processes.done(['sub', '-p', port, '-t', topic, '-C', '1'])).stdout.trim()
  const tell = (command: string, prefix = 'sensors/esp32-s3') =>
    processes.done(['pub', '-p', port, '-q', '1', '-t', `${prefix}/led/control`, '-m', command])

  /** What comes next on a topic while `work` is done. */
  async function next(topic: string, work: () => Promise<unknown>): Promise<string> {
    const sub = processes.pipit(['sub', '-p', port, '-d', '-t', topic, '-R', '-C', '1'])
    await sub.says(/subscribed to/, 'stderr')
    await work()
    expect(await sub.ended).toBe(0)
    return sub.stdout.trim()
  }

  onBroker('it says online and its state, retained', async () => {
    expect(await one('sensors/esp32-s3/status')).toBe('online')
    expect(JSON.parse(await one('sensors/esp32-s3/led/state'))).toEqual(first)
  })

  test.skipIf(skipped !== undefined || noMosquittoClients !== undefined)(
    `mosquitto_pub turns it red (${noMosquittoClients ?? 'installed'})`,
    async () => {
      const topic = 'sensors/esp32-s3/led/control'
      const state = await next('sensors/esp32-s3/led/state', async () => {
        expect(
          await processes.run('mosquitto_pub', ['-h', 'localhost', '-p', port, '-t', topic, '-m', RED]).ended,
        ).toBe(0)
      })
      expect(JSON.parse(state)).toEqual({ ...first, on: true, r: 255, w: 0 })
      await light.says(/light: on, r 255, g 0, b 0, w 0, brightness 255\n/)
      expect(JSON.parse(await one('sensors/esp32-s3/led/state'))).toMatchObject({ on: true, r: 255 })
    },
  )

  onBroker('a bad command changes nothing and is answered on led/error', async () => {
    const before = await one('sensors/esp32-s3/led/state')
    const bad: [string, string][] = [
      ['red', 'the command is not JSON: "red"; a command is an object such as'],
      ['{"action":"sparkle"}', 'action is "sparkle"; it takes set_color, on, off,'],
      ['{"action":"set_color","r":300,"g":0,"b":0,"w":0}', 'r is 300; it takes a whole number from 0 to 255'],
      ['{"action":"set_color","r":255,"g":0,"b":0}', 'w is missing; set_color takes r, g, b and w'],
    ]
    for (const [command, fault] of bad) {
      const answer = JSON.parse(await next('sensors/esp32-s3/led/error', () => tell(command))) as {
        error: string
      }
      expect(answer.error).toContain(fault)
    }
    expect(await one('sensors/esp32-s3/led/state')).toBe(before)
    await light.says(/light: refused: w is missing/)
  })

  onBroker('it understands every action', async () => {
    const state = async (command: object) =>
      JSON.parse(await next('sensors/esp32-s3/led/state', () => tell(JSON.stringify(command)))) as object
    expect(await state({ action: 'on' })).toMatchObject({ on: true })
    expect(await state({ action: 'set_brightness', brightness: 10 })).toMatchObject({ brightness: 10 })
    for (const effect of ['blink', 'rainbow', 'fade']) {
      expect(await state({ action: effect })).toMatchObject({ on: true, effect })
    }
    expect(await state({ action: 'off' })).toMatchObject({ on: false, effect: 'none' })
  })

  onBroker('--prefix moves its topics; killed, its will says offline; ended, it says so itself', async () => {
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const other = processes.pipit(['device', 'led', '-p', port, '--prefix', 'home/lamp'])
      await other.says(/connected to localhost/)
      expect(await one('home/lamp/status')).toBe('online')
      const code = await next('home/lamp/status', () => other.kill(signal))
      expect(code).toBe('offline')
      expect(await other.ended).toBe(signal === 'SIGTERM' ? 0 : 'SIGKILL')
      expect(await one('home/lamp/status')).toBe('offline')
    }
  })
})

test('pipit device led is there again after the broker was away', async () => {
  const broker = await processes.broker()
  const port = String(broker.port)
  const light = processes.pipit(['device', 'led', '-p', port])
  await light.says(/connected to localhost/)
  await broker.running.kill('SIGTERM')
  await light.says(/lost .*connecting again\n/)
  await processes.pipit(['broker', '--port', port]).says(/ready/)
  await light.says(/connected to localhost:\d+ again\n/)
  // The new broker remembers nothing: what it says, the light has said again.
  const state = await processes.done(['sub', '-p', port, '-t', 'sensors/#', '-C', '2', '-v'])
  expect(state.stdout).toMatch(/^sensors\/esp32-s3\/status online$/m)
  await processes.done(['pub', '-p', port, '-q', '1', '-t', 'sensors/esp32-s3/led/control', '-m', RED])
  await light.says(/light: on, r 255, g 0, b 0, w 0, brightness 255\n/)
  expect(await light.kill('SIGINT')).toBe(0)
})
