import { ProtocolError } from '../errors.ts'
import { PacketIdTable } from './packet-id-table.ts'
import { SendQuota } from './quota.ts'

/** What the sender of a packet with an identifier waits for. 0: the identifier is free. */
export const AWAITING_PUBACK = 1
export const AWAITING_PUBREC = 2
export const AWAITING_PUBCOMP = 3
export const AWAITING_REQUEST_ACK = 4

/** The sending side of QoS 1 and 2: identifiers, flow control and what is unacknowledged.
 *  It survives the connection as part of the session. */
export class Outbound<M> {
  readonly quota: SendQuota
  private readonly table = new PacketIdTable<M | undefined>()

  constructor(receiveMaximum = 65535) {
    this.quota = new SendQuota(receiveMaximum)
  }

  /** Messages sent and not acknowledged, and requests not answered. */
  get inFlight(): number {
    return this.table.size
  }

  /** Says whether a QoS 1 or 2 message may be begun now. */
  get canBegin(): boolean {
    return this.quota.available > 0 && this.table.size < 65535
  }

  /** Takes ownership of a message and gives the Packet Identifier to send it with. Ask `canBegin` first.
   *  [MQTT-4.3.2-1] [MQTT-4.3.3-1] [MQTT-4.9.0-2] */
  begin(message: M, qos: 1 | 2): number {
    this.quota.take()
    return this.table.allocate(message, qos === 1 ? AWAITING_PUBACK : AWAITING_PUBREC)
  }

  /** Takes an identifier for SUBSCRIBE or UNSUBSCRIBE, which no quota limits. */
  reserve(): number {
    return this.table.allocate(undefined, AWAITING_REQUEST_ACK)
  }

  /** Frees the identifier of an answered request; false when there was none. */
  release(packetId: number): boolean {
    if (this.table.state(packetId) !== AWAITING_REQUEST_ACK) return false
    this.table.delete(packetId)
    return true
  }

  /** What `packetId` waits for; 0 when it is free. */
  state(packetId: number): number {
    return this.table.state(packetId)
  }

  message(packetId: number): M | undefined {
    return this.table.value(packetId)
  }

  /** Takes PUBACK: the message is settled. Undefined when the identifier is not in use.
   *  @throws ProtocolError when it is in use for something else */
  puback(packetId: number): M | undefined {
    return this.end(packetId, AWAITING_PUBACK, 'PUBACK')
  }

  /** Takes PUBREC. Below 0x80 the next packet is PUBREL [MQTT-4.3.3-4]; the message itself is no longer needed
   *  and never sent again. From 0x80 on the message is settled [MQTT-4.4.0-2].
   *  Undefined when the identifier is not in use.
   *  @throws ProtocolError when it is in use for something else */
  pubrec(packetId: number, reasonCode: number): M | undefined {
    const state = this.table.state(packetId)
    // Its copy may come after it: the answer is PUBREL again (4.3.3).
    if (reasonCode >= 0x80 || (state !== AWAITING_PUBREC && state !== AWAITING_PUBCOMP)) {
      return this.end(packetId, AWAITING_PUBREC, 'PUBREC')
    }
    this.table.setState(packetId, AWAITING_PUBCOMP)
    return this.table.value(packetId)
  }

  /** Takes PUBCOMP: the message is settled. Undefined when the identifier is not in use.
   *  @throws ProtocolError when it is in use for something else */
  pubcomp(packetId: number): M | undefined {
    return this.end(packetId, AWAITING_PUBCOMP, 'PUBCOMP')
  }

  /** Gives up a message that is not to be sent again: its identifier is free and its quota given back. */
  forget(packetId: number): M | undefined {
    const state = this.table.state(packetId)
    // A request holds no quota and ends with `release`.
    return state === 0 || state === AWAITING_REQUEST_ACK ? undefined : this.settle(packetId)
  }

  /** Begins a connection: quota as the peer says, new identifiers from 1 on.
   *  What is in flight stays; send it again in the order of `unacknowledged`, each with `quota.take()`. */
  connect(receiveMaximum: number): void {
    this.quota.reset(receiveMaximum)
    this.table.restart()
  }

  /** Puts back what an earlier process had in flight. */
  restore(packetId: number, message: M | undefined, state: number): void {
    this.table.set(packetId, message, state)
  }

  /** Identifiers in flight in the order in which their messages were begun [MQTT-4.6.0-1]. */
  unacknowledged(): number[] {
    return this.table.inOrder()
  }

  /** Forgets everything: the session has ended. */
  clear(): void {
    this.table.clear()
  }

  /** Takes the packet that ends an exchange; one that waits for another is a Protocol Error.
   *  @see MQTT 5.0, 4.3.2 and 4.3.3 */
  private end(packetId: number, awaited: number, packet: string): M | undefined {
    const state = this.table.state(packetId)
    if (state === 0) return undefined
    if (state !== awaited) throw illegal(state, packet, packetId)
    return this.settle(packetId)
  }

  private settle(packetId: number): M | undefined {
    const message = this.table.value(packetId)
    this.table.delete(packetId)
    this.quota.give()
    return message
  }
}

const STATE_NAMES = ['nothing', 'PUBACK', 'PUBREC', 'PUBCOMP', 'SUBACK or UNSUBACK']

function illegal(state: number, packet: string, packetId: number): ProtocolError {
  return new ProtocolError(`${packet}: Packet Identifier ${packetId}; it waits for ${STATE_NAMES[state]}`)
}
