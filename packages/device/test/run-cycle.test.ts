import { describe, expect, test } from 'vitest'
import {
  type ConfigurationFile,
  type CycleClient,
  type CycleOptions,
  type CycleReport,
  DeviceClient,
  estimateCharge,
  memoryConfiguration,
  type OutgoingMessage,
  runCycle,
  SimulatedBroker,
} from '../src/index.ts'
import { HandClock } from './hand.ts'

const MONDAY = 1_767_571_200
const file = {
  update_interval: 600,
  mqtt: { client_id: 'porch', broker: '127.0.0.1', topic_config: 'porch/config' },
}

/** A device with a simulated broker, a clock that a test turns and what it said. */
function device(change: object = {}) {
  const broker = new SimulatedBroker()
  const clock = new HandClock()
  const store = memoryConfiguration({ ...file, mqtt: { ...file.mqtt, ...change } })
  const printed: string[] = []
  const slept: number[] = []
  let count = 0
  let now = MONDAY
  const options: CycleOptions<number> = {
    wake: () => ({ now, slept: 600 }),
    read: () => ++count,
    publish: (sample) => [{ topic: 'porch/temperature', payload: String(sample) }],
    config: store,
    sleep: (seconds) => {
      slept.push(seconds)
      now += seconds
    },
    client: () =>
      new DeviceClient({
        clientId: 'porch',
        server: '127.0.0.1',
        simulate: true,
        simulatedBroker: broker,
        print: (line) => void printed.push(line.replace(/^porch: /, '')),
        clock,
      }),
    clock,
  }
  const cycle = (more: Partial<CycleOptions<number>> = {}): Promise<CycleReport> =>
    runCycle({ ...options, ...more })
  return { broker, clock, store, printed, slept, cycle }
}

describe('runCycle()', () => {
  test('measures, connects, publishes, sleeps; and reports what it did and its bytes', async () => {
    const { cycle, printed, slept } = device()
    const report = await cycle()
    expect(report).toMatchObject({
      outcome: 'sent',
      attempts: 1,
      measured: 1,
      sent: 1,
      kept: 0,
      dropped: 0,
      configuration: 'none',
      sleepSeconds: 600,
      faults: [],
    })
    expect(report.bytesSent).toBeGreaterThan('porch/temperature'.length)
    expect(report.bytesReceived).toBeGreaterThan(0)
    expect(printed).toEqual(['porch/temperature 1 (QoS 1)'])
    expect(slept).toEqual([600])
  })

  test('keeps what it measured while the broker is away, waits as the policy says, and brings it all later', async () => {
    const { cycle, broker, store, printed } = device()
    const keep = { policy: 'oldestFirst' } as const
    broker.stop()
    const first = await cycle({ keep })
    expect(first).toMatchObject({ outcome: 'kept', attempts: 3, kept: 1, bytesSent: 0 })
    expect(first.faults).toEqual(['no connection: the simulated broker is away'])
    const waited = await cycle({ keep })
    expect(waited).toMatchObject({ outcome: 'waited', attempts: 0, kept: 2, radioOnMs: 0, faults: [] })
    expect(await store.load()).toMatchObject({
      kept_messages: [{ payload: '1' }, { payload: '2' }],
      mqtt: { reconnect: { attempt_count: 3, last_attempt_time: MONDAY } },
    })
    broker.start()
    for (let wake = 0; wake < 4; wake++) expect(await cycle({ keep })).toMatchObject({ outcome: 'waited' })
    expect(await cycle({ keep })).toMatchObject({ outcome: 'sent', sent: 7, kept: 0 })
    expect(printed.map((line) => line.split(' ')[1])).toEqual(['1', '2', '3', '4', '5', '6', '7'])
    const after = await store.load()
    expect(after).not.toHaveProperty('kept_messages')
    expect(after).toMatchObject({ mqtt: { reconnect: { attempt_count: 0 } } })
  })

  test('keeps the newest of each topic by default, within its limit', async () => {
    const { cycle, broker, printed } = device({ reconnect: { enabled: false } })
    broker.stop()
    await cycle()
    expect(await cycle()).toMatchObject({ kept: 1, dropped: 1 })
    const publish = (sample: number): OutgoingMessage[] =>
      ['a', 'b', 'c'].map((topic) => ({ topic, payload: String(sample) }))
    expect(await cycle({ publish, keep: { limit: 2 } })).toMatchObject({ kept: 2, dropped: 2 })
    broker.start()
    await cycle({ publish: () => [] })
    expect(printed).toEqual(['b 3 (QoS 1)', 'c 3 (QoS 1)'])
  })

  test('a wake that is not to try asks no client for anything, and writes nothing that has not changed', async () => {
    const reconnect = { attempt_count: 9, last_attempt_time: MONDAY - 60 }
    const { cycle, store } = device({ reconnect })
    let saves = 0
    const config = {
      load: store.load,
      async save(changed: ConfigurationFile) {
        saves++
        await store.save(changed)
      },
    }
    const client = new Proxy({} as CycleClient, {
      get: (_, name) => {
        throw new Error(`the client was asked for ${String(name)}`)
      },
    })
    const report = await cycle({ config, client: () => client, publish: () => [] })
    expect(report).toMatchObject({ outcome: 'waited', faults: [], radioOnMs: 0 })
    expect(saves).toBe(0)
    expect(await cycle({ config, client: () => client })).toMatchObject({ outcome: 'waited', kept: 1 })
    expect(saves).toBe(1)
  })

  test('reads a configuration, saves it and sleeps as it says; the state is in the same file', async () => {
    const { cycle, broker, store, printed, slept } = device({ load_config_from_mqtt: true })
    const update = { version: 1, update_interval: 60, mqtt: { keepalive: 30 } }
    broker.publish('porch/config', JSON.stringify(update), { retain: true })
    expect(await cycle()).toMatchObject({ configuration: 'applied', sleepSeconds: 60, faults: [] })
    expect(slept).toEqual([60])
    expect(await store.load()).toMatchObject({ version: 1, update_interval: 60, mqtt: { keepalive: 30 } })
    expect(printed).toContain('porch/config/status {"status":"applied","version":1} (QoS 1) (retained)')
    // The same one again is no news.
    expect(await cycle()).toMatchObject({ configuration: 'ignored', sleepSeconds: 60 })
    broker.publish('porch/config', '{"version":2,"mqtt":{"port":"x"}}', { retain: true })
    const refused = await cycle()
    expect(refused.configuration).toBe('refused')
    expect(refused.faults[0]).toBe(
      'configuration refused: mqtt.port is "x"; it takes a whole number from 1 to 65535',
    )
    expect(await store.load()).toMatchObject({ version: 1 })
  })

  test('a connection that breaks keeps what was not acknowledged', async () => {
    const { cycle, store } = device()
    const publish = () => ['1', '2', '3'].map((payload) => ({ topic: 'porch/temperature', payload }))
    const client: CycleClient = {
      ...away,
      connect: async () => true,
      async publish(_topic, message) {
        if (message !== '1') throw new Error('the connection was lost')
      },
    }
    const report = await cycle({ client: () => client, publish, keep: { policy: 'oldestFirst' } })
    expect(report).toMatchObject({ outcome: 'partly', sent: 1, kept: 2 })
    expect(report.faults).toEqual(['2 messages were not acknowledged'])
    expect(await store.load()).toMatchObject({ kept_messages: [{ payload: '2' }, { payload: '3' }] })
  })

  test('an acknowledgement that never comes does not keep the radio on', async () => {
    const { cycle, clock } = device()
    let ended: () => void = () => {}
    const over = new Promise<never>((_, reject) => (ended = () => reject(new Error('ended by force'))))
    over.catch(() => {})
    const client: CycleClient = {
      traffic: { bytesSent: 9, bytesReceived: 0 },
      failure: undefined,
      connect: async () => true,
      publish: () => {
        // The test's time goes on once the device waits.
        queueMicrotask(() => clock.pass(5000))
        return over
      },
      readTopic: async () => undefined,
      disconnect: async () => ended(),
    }
    const report = await cycle({ client: () => client, limitMs: 5000 })
    expect(report).toMatchObject({ outcome: 'partly', kept: 1, radioOnMs: 5000 })
    expect(report.faults[0]).toBe('no answer for 5000 ms')
    expect(clock.waiting).toBe(0)
  })

  test('gives up what the broker refuses or nobody could publish', async () => {
    const { cycle } = device()
    const publish = () => [
      { topic: 'a/#', payload: 'x' },
      { topic: 'porch/good', payload: 'y' },
    ]
    const report = await cycle({ publish })
    expect(report).toMatchObject({ outcome: 'sent', sent: 1, kept: 0, dropped: 1 })
    expect(report.faults[0]).toMatch(/^a\/# was given up: a Topic Name holds no wildcard/)
  })

  test('always gets to sleep: with a sensor that throws, a file that is none, a store that fails', async () => {
    const sensor = device()
    const broken = () => {
      throw new Error('no answer on pin 16')
    }
    expect(await sensor.cycle({ read: broken })).toMatchObject({
      outcome: 'sent',
      measured: 0,
      faults: ['nothing was measured: no answer on pin 16'],
    })
    const { cycle, slept } = device()
    const load = async () => ({ mqtt: { broker: 7 } })
    const save = async () => {
      throw new Error('the flash is full')
    }
    const failed = await cycle({ config: { load, save } })
    expect(failed.outcome).toBe('failed')
    expect(failed.faults[0]).toMatch(/mqtt.broker is 7/)
    const good = async () => ({ ...file })
    const unsaved = await cycle({ config: { load: good, save }, client: () => away })
    expect(unsaved.faults).toContain('the state of this wake was not saved: the flash is full')
    expect(slept).toEqual([600, 600])
  })

  test('does nothing with enabled: false', async () => {
    const { cycle, printed } = device({ enabled: false })
    expect(await cycle()).toMatchObject({ outcome: 'disabled', attempts: 0, sent: 0 })
    expect(printed).toEqual([])
  })

  test('its reports give the charge of a day', async () => {
    const { cycle } = device()
    const reports = [await cycle(), await cycle()]
    const { mahPerDay } = estimateCharge(reports)
    // 144 wakes of 300 ms at 54.6 mA and 1.5 s at 88 mA, and 7 µA between.
    expect(mahPerDay).toBeGreaterThan(5)
    expect(mahPerDay).toBeLessThan(7)
  })
})

const away: CycleClient = {
  traffic: { bytesSent: 0, bytesReceived: 0 },
  failure: new Error('away'),
  connect: async () => false,
  publish: async () => {},
  readTopic: async () => undefined,
  disconnect: async () => {},
}
