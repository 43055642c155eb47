import { join } from 'node:path'
import { connect, type Message, type MqttClient } from '@pipit/client'
import { discoveryFaults, expanded } from '@pipit/device'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { noMosquitto, Processes, type Running } from './processes.ts'

// The device is the example of the guide, as a process that can be killed.
const DEVICE = join(import.meta.dirname, '../../../examples/home-assistant.ts')

const processes = new Processes()
// Each test starts several processes, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 })
const clients: MqttClient[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close({ force: true })
})
afterAll(() => processes.end())

/** What Home Assistant does: it reads what is announced, and knows topics from there only. */
class FakeHomeAssistant {
  private readonly client: MqttClient
  private readonly seen: Message[] = []
  private readonly waiting = new Set<() => void>()
  private readonly faults: string[] = []

  private constructor(client: MqttClient) {
    this.client = client
    client.onMessage((message) => {
      this.seen.push(message)
      if (message.topic.endsWith('/config'))
        this.faults.push(...discoveryFaults(message.topic, message.payload))
      for (const look of this.waiting) look()
    })
  }

  static async start(port: number): Promise<FakeHomeAssistant> {
    const client = await connect(`mqtt://127.0.0.1:${port}`, { version: '5.0' })
    clients.push(client)
    const one = new FakeHomeAssistant(client)
    await client.subscribe('homeassistant/#', { qos: 1 })
    return one
  }

  async subscribe(topic: string): Promise<void> {
    await this.client.subscribe(topic, { qos: 1 })
  }

  async publish(topic: string, payload: string): Promise<void> {
    await this.client.publish(topic, payload, { qos: 1 })
  }

  /** The next message that is as wanted, of all that came and nobody has taken. */
  async next(isWanted: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const at = this.seen.findIndex(isWanted)
      if (at >= 0) {
        const [message] = this.seen.splice(0, at + 1).slice(-1)
        if (message !== undefined) return message
      }
      await new Promise<void>((resolve) => this.waiting.add(resolve))
      this.waiting.clear()
    }
  }

  /** The configuration of the device, with long names, checked. */
  async discovered(): Promise<Device> {
    const message = await this.next(({ topic }) => topic === 'homeassistant/device/lamp-1/config')
    expect(this.faults).toEqual([])
    return expanded(message.json() as Record<string, unknown>, 'device form') as unknown as Device
  }
}

interface Device {
  readonly availability_topic: string
  readonly components: Readonly<Record<string, Readonly<Record<string, string>>>>
}

const brokers = [
  { name: 'our broker', start: () => processes.broker(), skipped: undefined, isMosquitto: false },
  { name: "Debian's mosquitto", start: () => processes.mosquitto(), skipped: noMosquitto, isMosquitto: true },
]

describe.each(brokers)('a device and Home Assistant at $name', ({ start, skipped, isMosquitto }) => {
  const onBroker = test.skipIf(skipped !== undefined)

  async function device(port: number): Promise<Running> {
    const running = processes.run(process.execPath, [
      '--conditions=@pipit/source',
      DEVICE,
      `mqtt://127.0.0.1:${port}`,
    ])
    await running.says(/announced/)
    return running
  }

  onBroker('discovery, a partial update, the state, the readings, a birth and the will', async () => {
    const { port } = await start()
    const lamp = await device(port)
    const home = await FakeHomeAssistant.start(port)

    const { components, availability_topic: availability } = await home.discovered()
    expect(Object.entries(components).map(([id, { platform }]) => [id, platform])).toEqual([
      ['light', 'light'],
      ['temperature', 'sensor'],
      ['humidity', 'sensor'],
      ['motion', 'binary_sensor'],
    ])
    const { state_topic: stateTopic = '', command_topic: commandTopic = '' } = components['light'] ?? {}

    // All of it is retained: Home Assistant came after the device.
    await home.subscribe(availability)
    expect((await home.next(({ topic }) => topic === availability)).text()).toBe('online')
    await home.subscribe(stateTopic)
    const first = await home.next(({ topic }) => topic === stateTopic)
    expect(first.json()).toMatchObject({ state: 'OFF', brightness: 255, color: { r: 0, g: 0, b: 0, w: 255 } })
    for (const [quantity, { state_topic: topic = '' }] of Object.entries(components)) {
      if (quantity === 'light') continue
      await home.subscribe(topic)
      const reading = await home.next((message) => message.topic === topic)
      expect(reading.json()).toHaveProperty(quantity)
    }

    // One channel and the brightness: the rest stays as it was.
    await home.publish(commandTopic, '{"state":"ON","brightness":128,"color":{"g":200}}')
    const changed = await home.next(({ topic }) => topic === stateTopic)
    expect(changed.json()).toEqual({
      state: 'ON',
      brightness: 128,
      color_mode: 'rgbw',
      color: { r: 0, g: 200, b: 0, w: 255 },
      effect: 'none',
    })
    await home.publish(commandTopic, '{"color_temp":300}')
    const white = await home.next(({ topic }) => topic === stateTopic)
    expect(white.json()).toMatchObject({
      state: 'ON',
      brightness: 128,
      color_mode: 'color_temp',
      color_temp: 300,
    })

    // Home Assistant starts again: the device announces itself anew.
    await home.publish('homeassistant/status', 'online')
    expect((await home.discovered()).components).toEqual(components)

    lamp.child.kill('SIGKILL')
    expect(
      (await home.next(({ topic, payload }) => topic === availability && payload.length === 7)).text(),
    ).toBe('offline')
  })

  onBroker('it is connected with MQTT 5.0, and says offline itself when it is told to end', async () => {
    const { port, running } = await start()
    const lamp = await device(port)
    const home = await FakeHomeAssistant.start(port)
    const { availability_topic: availability } = await home.discovered()
    await home.subscribe(availability)
    await home.next(({ topic, payload }) => topic === availability && payload.length === 6)
    // Mosquitto's log has the version; Home Assistant leaves 3.x in 2027.1.
    if (isMosquitto) await running.says(/as lamp-1 \(p5,/, 'stderr')
    lamp.child.kill('SIGINT')
    expect((await home.next(({ topic }) => topic === availability)).text()).toBe('offline')
    expect(await lamp.ended).toBe(0)
  })
})

test('pipit device led --home-assistant announces itself; an identifier that no topic can have is refused', async () => {
  const { port } = await processes.broker()
  const lamp = processes.pipit([
    'device',
    'led',
    '-p',
    String(port),
    '--home-assistant',
    'hall',
    '--prefix',
    'home/hall',
  ])
  await lamp.says(/connected to localhost/)
  const home = await FakeHomeAssistant.start(port)
  const config = await home.next(({ topic }) => topic === 'homeassistant/device/hall/config')
  const device = expanded(config.json() as Record<string, unknown>, 'device form') as unknown as Device
  expect(discoveryFaults(config.topic, config.payload)).toEqual([])
  const { state_topic: stateTopic = '', command_topic: commandTopic = '' } = device.components['light'] ?? {}
  await home.subscribe(stateTopic)
  await home.next(({ topic }) => topic === stateTopic)
  await home.publish(commandTopic, '{"state":"ON","effect":"candle"}')
  expect((await home.next(({ topic }) => topic === stateTopic)).json()).toMatchObject({ effect: 'candle' })
  expect(await lamp.kill('SIGTERM')).toBe(0)
  const wrong = await processes.done(['device', 'led', '-p', String(port), '--home-assistant', 'a/b'])
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toMatch(/It takes letters, digits, _ and -\. \(see pipit device led --help\)\n$/)
})
