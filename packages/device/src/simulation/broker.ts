import { checkTopicFilter, checkTopicName, encodedLength, matches, type Packet } from '@pipit/protocol'
import type { DevicePublishOptions } from '../link.ts'
import { ReceivedMessage } from '../message.ts'
import type { OpenWire, Traffic, Wire, WireReceiver } from '../wire.ts'

/** A broker without a network, for devices that are simulated in one process: subscriptions with wildcards and
 *  retained messages. Messages come in a later microtask, in the order in which they were published. */
export class SimulatedBroker {
  private readonly kept = new Map<string, ReceivedMessage>()
  private readonly wires = new Set<SimulatedWire>()
  private away = false

  /** Ends every connection and takes none until `start`. Retained messages stay. */
  stop(): void {
    this.away = true
    for (const wire of this.wires) wire.lose(new Error('the simulated broker has stopped'))
  }

  start(): void {
    this.away = false
  }

  /** Publishes as somebody else would.
   *  @throws TypeError, RangeError for a topic that cannot be */
  publish(topic: string, payload: string | Uint8Array, options: DevicePublishOptions = {}): void {
    checkTopicName(topic)
    const bytes = typeof payload === 'string' ? encoder.encode(payload) : payload.slice()
    const { qos = 0, retain = false } = options
    if (retain && bytes.length === 0) this.kept.delete(topic)
    else if (retain) this.kept.set(topic, new ReceivedMessage(topic, bytes, qos, true))
    for (const wire of this.wires) wire.route(new ReceivedMessage(topic, bytes, qos, false))
  }

  /** The retained message of a topic. */
  retained(topic: string): ReceivedMessage | undefined {
    return this.kept.get(topic)
  }

  /** Opens connections to this broker.
   *  @param published told of what the device publishes */
  wire(clientId: string, published: (message: ReceivedMessage) => void = () => {}): OpenWire {
    return async (receiver) => {
      if (this.away) throw new Error('the simulated broker is away')
      const wire = new SimulatedWire(this, clientId, receiver, published)
      this.wires.add(wire)
      return wire
    }
  }

  /** @internal */
  forget(wire: SimulatedWire): void {
    this.wires.delete(wire)
  }

  /** @internal */
  retainedFor(filter: string): ReceivedMessage[] {
    return [...this.kept.values()].filter(({ topic }) => matches(filter, topic))
  }
}

const encoder = new TextEncoder()

/** One device's connection to the simulated broker. It counts the bytes that MQTT 5.0 would take. */
class SimulatedWire implements Wire {
  private readonly broker: SimulatedBroker
  private readonly receiver: WireReceiver
  private readonly published: (message: ReceivedMessage) => void
  private readonly filters = new Map<string, 0 | 1 | 2>()
  private sent = 0
  private received = 0
  private open = true

  constructor(
    broker: SimulatedBroker,
    clientId: string,
    receiver: WireReceiver,
    published: (message: ReceivedMessage) => void,
  ) {
    this.broker = broker
    this.receiver = receiver
    this.published = published
    this.sends({ type: 'CONNECT', protocolVersion: 5, cleanStart: true, keepAlive: 60, clientId })
    this.receives({ type: 'CONNACK', sessionPresent: false, reasonCode: 0 })
  }

  async publish(topic: string, payload: Uint8Array, options: DevicePublishOptions): Promise<void> {
    const { qos = 0, retain = false } = options
    this.sends(publishPacket(topic, payload, qos, retain))
    if (qos > 0) this.receives({ type: 'PUBACK', packetId: 1, reasonCode: 0 })
    if (qos > 1) {
      this.sends({ type: 'PUBREL', packetId: 1, reasonCode: 0 })
      this.receives({ type: 'PUBCOMP', packetId: 1, reasonCode: 0 })
    }
    this.published(new ReceivedMessage(topic, payload, qos, retain))
    this.broker.publish(topic, payload, options)
  }

  async subscribe(filter: string, qos: 0 | 1 | 2): Promise<void> {
    checkTopicFilter(filter)
    const subscription = { topicFilter: filter, qos, noLocal: false, retainAsPublished: false }
    this.sends({ type: 'SUBSCRIBE', packetId: 1, subscriptions: [{ ...subscription, retainHandling: 0 }] })
    this.receives({ type: 'SUBACK', packetId: 1, reasonCodes: [qos] })
    this.filters.set(filter, qos)
    for (const message of this.broker.retainedFor(filter)) this.deliver(message, qos)
  }

  async unsubscribe(filter: string): Promise<void> {
    this.sends({ type: 'UNSUBSCRIBE', packetId: 1, topicFilters: [filter] })
    this.receives({ type: 'UNSUBACK', packetId: 1, reasonCodes: [0] })
    this.filters.delete(filter)
  }

  async ping(): Promise<number> {
    this.sends({ type: 'PINGREQ' })
    this.receives({ type: 'PINGRESP' })
    return 0
  }

  async close(): Promise<void> {
    if (this.open) this.sends({ type: 'DISCONNECT', reasonCode: 0 })
    this.open = false
    this.broker.forget(this)
  }

  /** Ends it as a broker that goes away does. */
  lose(error: Error): void {
    this.open = false
    this.broker.forget(this)
    queueMicrotask(() => this.receiver.lost(error))
  }

  traffic(): Traffic {
    return { bytesSent: this.sent, bytesReceived: this.received }
  }

  /** Takes a message if one of its filters does; once, with the highest QoS of those. */
  route(message: ReceivedMessage): void {
    const granted = [...this.filters].filter(([filter]) => matches(filter, message.topic))
    if (granted.length > 0) this.deliver(message, Math.max(...granted.map(([, qos]) => qos)) as 0 | 1 | 2)
  }

  private deliver(message: ReceivedMessage, granted: 0 | 1 | 2): void {
    const { topic, payload, retain } = message
    const qos = Math.min(message.qos, granted) as 0 | 1 | 2
    this.receives(publishPacket(topic, payload, qos, retain))
    if (qos > 0) this.sends({ type: 'PUBACK', packetId: 1, reasonCode: 0 })
    queueMicrotask(() => {
      if (!this.open) return
      const received = this.receiver.received(new ReceivedMessage(topic, payload, qos, retain))
      // Nobody is told that the message was refused.
      Promise.resolve(received).catch(() => {})
    })
  }

  private sends(packet: Packet): void {
    this.sent += encodedLength(packet, 5)
  }

  private receives(packet: Packet): void {
    this.received += encodedLength(packet, 5)
  }
}

function publishPacket(topic: string, payload: Uint8Array, qos: 0 | 1 | 2, retain: boolean): Packet {
  return { type: 'PUBLISH', topic, payload, qos, retain, dup: false, packetId: qos === 0 ? 0 : 1 }
}
