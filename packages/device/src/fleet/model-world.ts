import type { Clock } from '../clock.ts'
import { ModelBroker } from './model-broker.ts'
import { ModelRadio } from './model-radio.ts'
import { seeded } from './random.ts'
import type { Outage, Scenario } from './scenario.ts'
import type { Collected, DeviceRadio, FleetWorld } from './world.ts'

const encoder = new TextEncoder()
const RETRY_MS = 1000

/** A network and a broker in virtual time, the same for the same seed. */
export class ModelWorld implements FleetWorld {
  private readonly scenario: Scenario
  private readonly broker: ModelBroker
  private readonly begun: number

  /** @param filter of what the collector gets */
  constructor(scenario: Scenario, clock: Clock, filter: string, collected: Collected) {
    this.scenario = scenario
    this.broker = new ModelBroker(clock, filter, collected)
    this.begun = clock.now()
  }

  radio(device: number, clientId: string): DeviceRadio {
    const { seed, network, outages } = this.scenario
    const { begun } = this
    // A segment may be sent again after an outage has begun or ended: that is known now, for it is planned.
    const dark = outages.filter(({ kind }) => kind === 'unreachable')
    const isDark = (at: number): boolean =>
      dark.some((outage) => at >= begun + outage.at && at < begun + outage.at + outage.for)
    return new ModelRadio(this.broker, network, seeded(seed, 'radio', device), isDark, clientId)
  }

  publish(topic: string, payload: string): Promise<void> {
    const { broker } = this
    const message = { topic, payload: encoder.encode(payload), qos: 1, retain: true } as const
    return new Promise((resolve) => {
      let isSafe = false
      // The keeper tries until the broker has it, as a client with a store does.
      const attempt = (): void => {
        if (isSafe) return
        broker.clock.after(RETRY_MS, attempt)
        if (!broker.running) return
        broker.take(message, () => {
          isSafe = true
          resolve()
        })
      }
      attempt()
    })
  }

  async fail({ kind }: Outage): Promise<void> {
    if (kind === 'restart') this.broker.stop()
  }

  async recover({ kind }: Outage): Promise<void> {
    if (kind === 'restart') this.broker.start()
  }
}
