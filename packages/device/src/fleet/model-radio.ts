import type { Random } from '../clock.ts'
import type { OpenWire } from '../wire.ts'
import type { ModelBroker } from './model-broker.ts'
import { ModelWire } from './model-wire.ts'
import type { NetworkConditions } from './scenario.ts'
import { Direction, type Passage } from './segments.ts'
import type { DeviceRadio } from './world.ts'

/** A simulated device's radio: its connections go over a lossy link to the modelled broker. */
export class ModelRadio implements DeviceRadio {
  delays = 0
  private readonly broker: ModelBroker
  private readonly conditions: NetworkConditions
  private readonly random: Random
  private readonly isDark: (at: number) => boolean
  private readonly clientId: string
  private wire: ModelWire | undefined = undefined

  constructor(
    broker: ModelBroker,
    conditions: NetworkConditions,
    random: Random,
    isDark: (at: number) => boolean,
    clientId: string,
  ) {
    this.broker = broker
    this.conditions = conditions
    this.random = random
    this.isDark = isDark
    this.clientId = clientId
  }

  readonly open: OpenWire = (receiver) => {
    const { broker, conditions } = this
    const direction = (): Direction => new Direction(conditions, this.random, this.isDark)
    const count = ({ again }: Passage): void => {
      this.delays += again
    }
    const wire = new ModelWire(broker, receiver, direction(), direction(), count)
    this.wire = wire
    return wire.connect(this.clientId, conditions.connectTimeout)
  }

  cut(): void {
    this.wire?.vanish()
    this.wire = undefined
  }
}
