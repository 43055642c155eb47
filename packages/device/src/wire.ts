import type { DevicePublishOptions } from './link.ts'
import type { ReceivedMessage } from './message.ts'

/** Bytes of MQTT in both directions; what TCP, TLS and the radio add is not in them. */
export interface Traffic {
  readonly bytesSent: number
  readonly bytesReceived: number
}

/** One connection, as a `DeviceClient` needs it: MQTT over a network, a simulated broker, a test rig's bad radio. */
export interface Wire {
  /** Settles on the acknowledgement that the QoS asks for; rejects when it cannot come any more. */
  publish(topic: string, payload: Uint8Array, options: DevicePublishOptions): Promise<void>
  /** Settles when the broker has granted it; rejects when it refuses. */
  subscribe(filter: string, qos: 0 | 1 | 2): Promise<void>
  unsubscribe(filter: string): Promise<void>
  /** The round trip in milliseconds. */
  ping(): Promise<number>
  /** Says goodbye after what was published before has gone; by force, without waiting for that. Always resolves. */
  close(force?: boolean): Promise<void>
  /** Of this connection, so far; still there after its end. */
  traffic(): Traffic
}

export interface WireReceiver {
  /** A message has come. The promise it may return holds the acknowledgement back until it settles. */
  received(message: ReceivedMessage): unknown
  /** The connection has ended without our doing; once, and never before `OpenWire` has settled. */
  lost(error: Error): void
}

/** Opens one connection; rejects with the error that stood in its way. */
export type OpenWire = (receiver: WireReceiver) => Promise<Wire>
