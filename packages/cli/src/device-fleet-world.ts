import { connect, type MqttClient } from '@pipit/client'
import {
  type Collected,
  type DeviceRadio,
  deviceId,
  type FleetWorld,
  mqttWire,
  type Outage,
  type Scenario,
  seeded,
} from '@pipit/device'
import type { DeviceEndpoint } from './device-connection.ts'
import type { FleetBroker } from './device-fleet-broker.ts'
import { LossyLink } from './device-fleet-link.ts'
import { connectFault } from './faults.ts'

/** The collector and the keeper are to be back as soon as the broker is. */
const RECONNECT = { minimumDelayMs: 50, maximumDelayMs: 500 }
const DAY_SECONDS = 86_400

export interface RealWorldOptions {
  readonly scenario: Scenario
  readonly endpoint: DeviceEndpoint
  /** How many times faster than the clock on the wall the scenario runs. */
  readonly speed: number
  /** The broker's process, where it is ours to kill. */
  readonly broker?: FleetBroker
}

/** A real broker over real TCP, with a lossy link in front of each device. An outage kills the broker's process where
 *  that is the fleet's own; a broker that is somebody else's is only out of the devices' reach. */
export class RealWorld implements FleetWorld {
  private readonly options: RealWorldOptions
  /** One run's clients are no other one's. */
  private readonly run = Math.random().toString(36).slice(2, 8)
  private readonly configured = new Set<string>()
  private collector: MqttClient | undefined = undefined
  private keeper: MqttClient | undefined = undefined
  private darkUntil = 0

  constructor(options: RealWorldOptions) {
    this.options = options
  }

  /** Subscribes the collector: its session outlives the broker's restarts.
   *  @throws CommandError when there is no broker */
  async begin(filter: string, collected: Collected): Promise<void> {
    const { url, target, options: own } = this.options.endpoint
    const options = { ...own, reconnect: RECONNECT, version: '5.0' } as const
    try {
      this.collector = await connect(url, {
        ...options,
        clientId: `pipit-fleet-${this.run}-collector`,
        cleanStart: false,
        properties: { sessionExpiryInterval: DAY_SECONDS, receiveMaximum: 1024 },
      })
      this.keeper = await connect(url, { ...options, clientId: `pipit-fleet-${this.run}-keeper` })
    } catch (error) {
      await this.end()
      throw connectFault(error, target)
    }
    await this.clear()
    // Acknowledged when it has been counted.
    this.collector.onMessage(({ topic, payload }) => collected(topic, payload))
    await this.collector.subscribe(filter, { qos: 1 })
  }

  /** Takes away configurations that a run before this one left, if there may be any. */
  private async clear(): Promise<void> {
    const { count, rollOut, device } = this.options.scenario
    if (rollOut.length === 0 || this.options.broker !== undefined) return
    const topics = Array.from({ length: count }, (_, i) => `${device.topic}/${deviceId(i)}/config`)
    await Promise.all(topics.map((topic) => this.keeper?.publish(topic, '', { qos: 1, retain: true })))
  }

  radio(device: number, clientId: string): DeviceRadio {
    const { scenario, endpoint } = this.options
    const { url, options } = endpoint
    const { network, seed } = scenario
    const random = seeded(seed, 'radio', device)
    const link = new LossyLink(network, random, (at) => at < this.darkUntil, options.tls)
    const open = mqttWire(url, {
      ...options,
      clientId: `pipit-fleet-${this.run}-${clientId}`,
      version: '5.0',
      properties: { receiveMaximum: 1024 },
      connectTimeoutMs: network.connectTimeout,
      transport: link.transport,
    })
    return {
      open,
      cut: () => link.cut(),
      get delays() {
        return link.delays
      },
    }
  }

  async publish(topic: string, payload: string): Promise<void> {
    this.configured.add(topic)
    await this.keeper?.publish(topic, payload, { qos: 1, retain: true })
  }

  async fail(outage: Outage): Promise<void> {
    const { broker, speed } = this.options
    if (broker !== undefined && outage.kind === 'restart') await broker.kill()
    else this.darkUntil = performance.now() + outage.for / speed
  }

  async recover(outage: Outage): Promise<void> {
    const { broker } = this.options
    if (broker !== undefined && outage.kind === 'restart') await broker.start()
  }

  /** Leaves the broker as it was: no session, nothing retained. */
  async end(): Promise<void> {
    const { keeper, collector } = this
    for (const topic of this.configured) {
      // What was rolled out, and what the device said of it.
      for (const each of [topic, `${topic}/status`]) {
        await keeper?.publish(each, '', { qos: 1, retain: true, timeoutMs: 5000 }).catch(() => {})
      }
    }
    await Promise.all([
      keeper?.close({ timeoutMs: 2000 }),
      collector?.close({ timeoutMs: 2000, properties: { sessionExpiryInterval: 0 } }),
    ])
  }
}
