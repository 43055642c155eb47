import { Inbound, NO_PROPERTIES, ProtocolError, type Publish, type Pubrel } from '@pipit/protocol'
import { Fifo } from './fifo.ts'
import type { Journal } from './journal.ts'
import type { Link } from './link.ts'
import { Message, type MessageOwner } from './message.ts'
import type { Counters } from './metrics.ts'
import type { Sink } from './sink.ts'
import type { Telemetry } from './telemetry.ts'

/** Finds who gets a message. */
export type Route = (message: Message) => readonly Sink[]

/** What stands for a QoS 2 message that has been handled and waits for its PUBREL. */
const RECEIVED = Symbol('received')

/** The receiving half of a session: each message to its receivers once, its acknowledgement after they are done.
 *  Acknowledgements leave in the order of the messages [MQTT-4.6.0-2] [MQTT-4.6.0-3]. */
export class Inbox implements MessageOwner {
  private readonly inbound = new Inbound<Message | typeof RECEIVED>()
  private readonly route: Route
  /** Messages not acknowledged yet, in the order in which they came. */
  private readonly order1 = new Fifo<Message>()
  private readonly order2 = new Fifo<Message>()
  private link: Link | undefined = undefined
  /** On a session that outlived its receivers, messages wait until one is there. */
  private readonly held: Message[] = []
  private holds = false

  private readonly journal: Journal | undefined
  private readonly counters: Counters
  private readonly report: (error: unknown) => void
  private readonly telemetry: Telemetry | undefined

  constructor(
    route: Route,
    counters: Counters,
    journal: Journal | undefined,
    report: (error: unknown) => void,
    telemetry: Telemetry | undefined,
  ) {
    this.route = route
    this.counters = counters
    this.journal = journal
    this.report = report
    this.telemetry = telemetry
  }

  /** Takes up which QoS 2 messages an earlier process had received. */
  restore(packetIds: readonly number[]): void {
    for (const packetId of packetIds) this.inbound.restore(packetId, RECEIVED)
  }

  /** Messages received and not acknowledged or completed. */
  get unacknowledged(): number {
    return this.inbound.unacknowledged
  }

  attach(link: Link, resumed: boolean): void {
    this.link = link
    this.holds = resumed
    if (!resumed) {
      for (const packetId of this.inbound.awaitingPubrel()) this.journal?.released(packetId)
      this.inbound.clear()
    }
    this.inbound.connect(link.ownReceiveMaximum)
  }

  /** What was not acknowledged comes again on the next connection, or never. */
  detach(): void {
    this.link = undefined
    this.order1.takeAll()
    this.order2.takeAll()
    this.held.length = 0
  }

  /** Takes a PUBLISH. @throws ProtocolError for what the server must not send */
  publish(packet: Publish): void {
    const link = this.link
    if (link === undefined) return
    const topic = link.topicOf(packet)
    this.counters.messagesReceived++
    const properties = packet.properties ?? NO_PROPERTIES
    const message = new Message(packet, topic, properties, link.number, this)
    if (packet.qos === 1) {
      this.inbound.publishQoS1(packet.packetId)
      this.order1.push(message)
    } else if (packet.qos === 2) {
      if (!this.inbound.publishQoS2(packet.packetId, message)) {
        this.repeat(packet.packetId, link)
        return
      }
      this.order2.push(message)
    }
    this.deliver(message)
  }

  pubrel(packet: Pubrel): void {
    const { packetId } = packet
    const link = this.link
    if (link === undefined) return
    if (this.inbound.has(packetId) && this.inbound.message(packetId) !== RECEIVED) {
      throw new ProtocolError(`PUBREL: Packet Identifier ${packetId}; its PUBREC has not been sent`)
    }
    // Known or not, PUBCOMP ends the server's side; plain, as every server takes it.
    if (this.inbound.pubrel(packetId)) this.journal?.released(packetId)
    this.safely(link, () => link.send({ type: 'PUBCOMP', packetId, reasonCode: 0 }))
  }

  /** A receiver has come: what waited for one is tried again. */
  claim(): void {
    if (this.held.length === 0) return
    for (const message of this.held.splice(0)) this.deliver(message)
  }

  /** Every receiver has handled a message: acknowledges it, and those behind it that are done. */
  handled(message: Message): void {
    if (message.qos === 1) {
      for (let next = this.order1.peek(); next?.isHandled; next = this.order1.peek()) {
        this.order1.shift()
        this.acknowledge(next)
      }
    } else if (message.qos === 2) {
      for (let next = this.order2.peek(); next?.isHandled; next = this.order2.peek()) {
        this.order2.shift()
        this.receive(next)
      }
      // The connection it came on has gone: its copy, if it comes, is answered at once.
      if (this.link?.number !== message.connection && this.inbound.message(message.packetId) === message) {
        this.inbound.restore(message.packetId, RECEIVED)
        this.journal?.received(message.packetId)
      }
    }
  }

  private deliver(message: Message): void {
    const sinks = this.route(message)
    const count = sinks.length
    if (count === 0) {
      this.leaveUnclaimed(message)
      return
    }
    message.remaining = count
    if (this.telemetry !== undefined) message.scope = this.telemetry.receive(message)
    for (let i = 0; i < count; i++) sinks[i]!.deliver(message)
  }

  private leaveUnclaimed(message: Message): void {
    const half = (this.link?.ownReceiveMaximum ?? 2) / 2
    if (this.holds && message.qos > 0 && this.held.length < half) {
      this.held.push(message)
      return
    }
    this.counters.drop('unclaimed')
    message.remaining = 1
    message.settle()
  }

  /** A copy of a QoS 2 message that we know: PUBREC again, or as soon as it has been handled. */
  private repeat(packetId: number, link: Link): void {
    const known = this.inbound.message(packetId)
    if (known === RECEIVED) link.send({ type: 'PUBREC', packetId, reasonCode: 0 })
    else if (known !== undefined && known.connection !== link.number) {
      known.connection = link.number
      this.order2.push(known)
      this.handled(known)
    }
  }

  private acknowledge(message: Message): void {
    this.inbound.acknowledged(message.packetId)
    const link = this.link!
    const reasonCode = link.version === 5 ? message.refusal : 0
    link.send({ type: 'PUBACK', packetId: message.packetId, reasonCode })
  }

  private receive(message: Message): void {
    const link = this.link!
    const reasonCode = link.version === 5 ? message.refusal : 0
    const { packetId } = message
    if (reasonCode >= 0x80) this.inbound.refused(packetId)
    else {
      this.inbound.restore(packetId, RECEIVED)
      this.journal?.received(packetId)
    }
    this.safely(link, () => link.send({ type: 'PUBREC', packetId, reasonCode }))
  }

  /** Runs `then` when what the journal was told is safe, if the connection is still the same. */
  private safely(link: Link, then: () => void): void {
    if (this.journal === undefined) then()
    else this.journal.safely(this.report, () => this.link === link && then())
  }
}
