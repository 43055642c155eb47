import { ConnectionLostError } from '@pipit/client'
import type { DevicePublishOptions } from '../link.ts'
import { SimulatedBroker } from '../simulation/broker.ts'
import { lineOf } from '../simulation/line.ts'
import type { OpenWire, Traffic, Wire, WireReceiver } from '../wire.ts'
import { deviceWire } from './mqtt-wire.ts'
import type { DeviceSettings } from './options.ts'

/** What a connection tells its client. */
interface ConnectionOwner {
  readonly received: WireReceiver['received']
  /** It has ended, one way or the other. @param error what it was lost by; absent when we ended it */
  readonly ended: (error?: Error) => void
}

/** The connection of a device, present or not: over the network, simulated, or what a test rig gives. */
export class Connection {
  failure: Error | undefined = undefined
  private readonly settings: DeviceSettings
  private readonly owner: ConnectionOwner
  private wire: Wire | undefined = undefined
  private opening: Promise<boolean> | undefined = undefined
  private before: Traffic = { bytesSent: 0, bytesReceived: 0 }
  private simulation: SimulatedBroker | undefined = undefined

  constructor(settings: DeviceSettings, owner: ConnectionOwner) {
    this.settings = settings
    this.owner = owner
    if (settings.simulate === true) this.simulation = settings.simulatedBroker ?? new SimulatedBroker()
  }

  get isOpen(): boolean {
    return this.wire !== undefined
  }

  get isSimulated(): boolean {
    return this.simulation !== undefined
  }

  /** Of all connections so far. */
  get traffic(): Traffic {
    return this.wire === undefined ? this.before : sum(this.before, this.wire.traffic())
  }

  /** @throws ConnectionLostError when there is none */
  live(): Wire {
    if (this.wire === undefined) throw new ConnectionLostError('there is no connection; connect() makes one')
    return this.wire
  }

  /** Opens it unless it is open; one attempt for all who ask meanwhile.
   *  @param prepare runs before it counts; what it throws ends it
   *  @returns false with the reason in `failure` */
  open(prepare: (wire: Wire) => Promise<void>): Promise<boolean> {
    if (this.opening === undefined && this.isOpen) return Promise.resolve(true)
    this.opening ??= this.attempt(prepare).finally(() => {
      this.opening = undefined
    })
    return this.opening
  }

  async close(force: boolean): Promise<void> {
    await this.opening
    const { wire } = this
    if (wire === undefined) return
    this.wire = undefined
    await wire.close(force)
    this.end(wire)
  }

  /** @throws Error when it is not simulated */
  simulateMessage(topic: string, payload: string | Uint8Array, options: DevicePublishOptions): void {
    if (this.simulation === undefined) {
      throw new Error('simulateMessage works in simulation only; this client was made without simulate: true')
    }
    this.simulation.publish(topic, payload, options)
  }

  private async attempt(prepare: (wire: Wire) => Promise<void>): Promise<boolean> {
    try {
      const wire = await this.reach()
      this.wire = wire
      await prepare(wire)
      if (this.wire !== wire) return false
      this.failure = undefined
      return true
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error))
      const { wire } = this
      this.wire = undefined
      await wire?.close(true)
      if (wire !== undefined) this.end(wire)
      return false
    }
  }

  private async reach(): Promise<Wire> {
    let wire: Wire | undefined
    let early: Error | undefined
    const receiver: WireReceiver = {
      received: this.owner.received,
      lost: (error) => {
        if (wire === undefined) early = error
        else this.lost(wire, error)
      },
    }
    wire = await this.opener()(receiver).catch((error: unknown) => {
      if (this.settings.simulate !== 'if-no-broker' || this.isSimulated || !nobodyListens(error)) throw error
      this.beginToSimulate()
      return this.opener()(receiver)
    })
    if (early !== undefined) throw early
    return wire
  }

  private opener(): OpenWire {
    const { settings, simulation } = this
    const { print = console.log, clientId } = settings
    if (simulation !== undefined) {
      return simulation.wire(clientId, (message) => print(lineOf(clientId, message)))
    }
    return settings.wire ?? deviceWire(settings)
  }

  private beginToSimulate(): void {
    const { print = console.log, url, simulatedBroker = new SimulatedBroker() } = this.settings
    print(`no broker at ${url}: messages are printed instead of sent`)
    this.simulation = simulatedBroker
  }

  private lost(wire: Wire, error: Error): void {
    if (this.wire !== wire) return
    this.wire = undefined
    this.failure = error
    this.end(wire, error)
  }

  private end(wire: Wire, error?: Error): void {
    this.before = sum(this.before, wire.traffic())
    this.owner.ended(error)
  }
}

function sum(one: Traffic, other: Traffic): Traffic {
  return {
    bytesSent: one.bytesSent + other.bytesSent,
    bytesReceived: one.bytesReceived + other.bytesReceived,
  }
}

/** The one who should answer is on this machine, and nothing has its port. */
function nobodyListens(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: unknown } }
  return error instanceof ConnectionLostError && cause?.code === 'ECONNREFUSED'
}
