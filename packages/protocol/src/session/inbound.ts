import { ProtocolError } from '../errors.ts'
import { PacketIdTable } from './packet-id-table.ts'

const RECEIVED_QOS1 = 1
const RECEIVED_QOS2 = 2
/** Received on an earlier connection: waits for its PUBREL, and does not count towards Receive Maximum,
 *  since a sender's quota begins anew with each connection (4.9). */
const CARRIED_QOS2 = 3

/** The receiving side of QoS 1 and 2: which messages are not acknowledged yet, and which QoS 2 messages
 *  wait for their PUBREL. `M` is what the owner keeps with a QoS 2 message until then.
 *  @see MQTT 5.0, 4.3.2 and 4.3.3 */
export class Inbound<M> {
  /** What we announced; a peer beyond it is disconnected with 0x93. */
  receiveMaximum: number
  private readonly table = new PacketIdTable<M | undefined>(true)
  /** How many count towards Receive Maximum. */
  private counted = 0

  constructor(receiveMaximum = 65535) {
    this.receiveMaximum = receiveMaximum
  }

  /** QoS 1 messages not acknowledged and QoS 2 messages not completed. */
  get unacknowledged(): number {
    return this.table.size
  }

  /** Takes a QoS 1 PUBLISH that will be acknowledged later by `acknowledged`.
   *  One that is acknowledged at once need not pass here.
   *  @throws ProtocolError 0x93 beyond Receive Maximum; 0x82 when the identifier is in use */
  publishQoS1(packetId: number): void {
    if (this.table.state(packetId) !== 0) throw inUse(packetId)
    this.admit()
    this.table.set(packetId, undefined, RECEIVED_QOS1)
  }

  /** PUBACK is being sent: the identifier means a new message from now on [MQTT-4.3.2-5]. */
  acknowledged(packetId: number): void {
    if (this.table.state(packetId) === RECEIVED_QOS1) this.end(packetId)
  }

  /** Takes a QoS 2 PUBLISH: true when it is new, false for a copy that gets PUBREC again
   *  and is not delivered twice [MQTT-4.3.3-10].
   *  @throws ProtocolError 0x93 beyond Receive Maximum; 0x82 when the identifier is in use at QoS 1 */
  publishQoS2(packetId: number, message: M): boolean {
    const state = this.table.state(packetId)
    if (state === RECEIVED_QOS2 || state === CARRIED_QOS2) return false
    if (state !== 0) throw inUse(packetId)
    this.admit()
    this.table.set(packetId, message, RECEIVED_QOS2)
    return true
  }

  /** Says whether a QoS 2 message waits for its PUBREL. */
  has(packetId: number): boolean {
    return this.table.state(packetId) >= RECEIVED_QOS2
  }

  /** What is kept with a QoS 2 message that waits for its PUBREL. */
  message(packetId: number): M | undefined {
    return this.table.value(packetId)
  }

  /** A PUBREC of 0x80 or more is being sent: the identifier means a new message from now on [MQTT-4.3.3-9]. */
  refused(packetId: number): void {
    if (this.has(packetId)) this.end(packetId)
  }

  /** Takes PUBREL: true when a message waited for it; PUBCOMP is 0x92 otherwise [MQTT-4.3.3-11]. */
  pubrel(packetId: number): boolean {
    if (!this.has(packetId)) return false
    this.end(packetId)
    return true
  }

  /** Begins a connection. QoS 1 messages that were not acknowledged will come again as new ones;
   *  QoS 2 identifiers stay. */
  connect(receiveMaximum: number): void {
    this.receiveMaximum = receiveMaximum
    this.counted = 0
    for (const packetId of this.table.inOrder()) {
      if (this.table.state(packetId) === RECEIVED_QOS1) this.table.delete(packetId)
      else this.table.setState(packetId, CARRIED_QOS2)
    }
  }

  /** Puts back what an earlier process had received, or changes what is kept with a message. */
  restore(packetId: number, message: M): void {
    this.table.set(packetId, message, this.table.state(packetId) || CARRIED_QOS2)
  }

  /** QoS 2 identifiers that wait for PUBREL, in the order of their PUBLISH. */
  awaitingPubrel(): number[] {
    return this.table.inOrder().filter((packetId) => this.has(packetId))
  }

  /** Forgets everything: the session has ended. */
  clear(): void {
    this.table.clear()
    this.counted = 0
  }

  private admit(): void {
    if (this.counted >= this.receiveMaximum) {
      throw new ProtocolError(
        `PUBLISH: receiveMaximum is ${this.receiveMaximum}; more are unacknowledged`,
        0x93,
      )
    }
    this.counted++
  }

  private end(packetId: number): void {
    if (this.table.state(packetId) !== CARRIED_QOS2) this.counted--
    this.table.delete(packetId)
  }
}

function inUse(packetId: number): ProtocolError {
  return new ProtocolError(`PUBLISH: Packet Identifier ${packetId}; it is in use`)
}
