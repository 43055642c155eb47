import type { OpenWire } from '../wire.ts'
import type { Outage } from './scenario.ts'

/** A device's way to the broker. */
export interface DeviceRadio {
  readonly open: OpenWire
  /** The device's power goes: nothing more is sent, nothing more is heard, nobody says goodbye. */
  cut(): void
  /** Segments or chunks that its lossy link has sent again or held up. */
  readonly delays: number
}

/** What came to the collector. */
export type Collected = (topic: string, payload: Uint8Array) => void

/** Where a fleet lives: a network and a broker, modelled or real. One collector, whose session the broker keeps, is
 *  subscribed at QoS 1 to every reading before the first device wakes. */
export interface FleetWorld {
  radio(device: number, clientId: string): DeviceRadio
  /** Publishes retained at QoS 1, as the fleet's keeper; settles when the broker has it. */
  publish(topic: string, payload: string): Promise<void>
  /** Begins an outage. */
  fail(outage: Outage): Promise<void>
  /** Ends it; settles when the broker is there again. */
  recover(outage: Outage): Promise<void>
}
