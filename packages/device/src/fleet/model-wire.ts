import { ConnectionLostError } from '@pipit/client'
import { encodedLength, matches, type Packet } from '@pipit/protocol'
import type { DevicePublishOptions } from '../link.ts'
import { ReceivedMessage } from '../message.ts'
import type { Traffic, Wire, WireReceiver } from '../wire.ts'
import type { ModelBroker, ModelMessage } from './model-broker.ts'
import type { Direction, Passage } from './segments.ts'

/** TCP's own segments when a connection begins; the radio carries them, MQTT does not count them. */
const SYN_BYTES = 60

interface Waiting {
  readonly reject: (error: Error) => void
}

/** One connection over the lossy link: MQTT 5.0's packets in their true sizes, each a passage in virtual time. */
export class ModelWire implements Wire {
  private readonly broker: ModelBroker
  private readonly receiver: WireReceiver
  private readonly up: Direction
  private readonly down: Direction
  private readonly count: (passage: Passage) => void
  private readonly filters = new Map<string, 0 | 1 | 2>()
  /** Promises of this connection that have not settled: its end rejects them. */
  private readonly waiting = new Set<Waiting>()
  private sent = 0
  private received = 0
  /** `open` from CONNACK on, for the device; the broker has a view of its own. */
  private state: 'opening' | 'open' | 'closed' = 'opening'
  private known = false

  constructor(
    broker: ModelBroker,
    receiver: WireReceiver,
    up: Direction,
    down: Direction,
    count: (passage: Passage) => void,
  ) {
    this.broker = broker
    this.receiver = receiver
    this.up = up
    this.down = down
    this.count = count
  }

  async connect(clientId: string, timeoutMs: number): Promise<Wire> {
    const stopTimer = this.broker.clock.after(timeoutMs, () => {
      this.end(new ConnectionLostError(`no answer in ${timeoutMs} ms`))
    })
    try {
      await this.answered((done, refuse) => {
        this.passUp(SYN_BYTES, () => {
          if (!this.broker.running)
            return this.passDown(SYN_BYTES, () => refuse(new ConnectionLostError('connection refused')))
          this.passDown(SYN_BYTES, done)
        })
      })
      await this.exchange(
        { type: 'CONNECT', protocolVersion: 5, cleanStart: true, keepAlive: 60, clientId },
        (answer) => {
          this.known = true
          this.broker.enter(this)
          answer({ type: 'CONNACK', sessionPresent: false, reasonCode: 0 })
        },
      )
    } catch (error) {
      this.state = 'closed'
      throw error
    } finally {
      stopTimer()
    }
    this.state = 'open'
    return this
  }

  async publish(topic: string, payload: Uint8Array, options: DevicePublishOptions): Promise<void> {
    const { qos = 0, retain = false } = options
    const packet = publishPacket({ topic, payload, qos, retain })
    const message = { topic, payload, qos, retain }
    if (qos === 0) {
      this.check()
      this.send(packet, () => this.broker.take(message, () => {}))
      return
    }
    const type = qos === 1 ? 'PUBACK' : 'PUBREC'
    await this.exchange(packet, (answer) => {
      this.broker.take(message, () => answer({ type, packetId: 1, reasonCode: 0 }))
    })
    if (qos === 1) return
    await this.exchange({ type: 'PUBREL', packetId: 1, reasonCode: 0 }, (answer) => {
      answer({ type: 'PUBCOMP', packetId: 1, reasonCode: 0 })
    })
  }

  async subscribe(filter: string, qos: 0 | 1 | 2): Promise<void> {
    const subscription = { topicFilter: filter, qos, noLocal: false, retainAsPublished: false } as const
    const subscriptions = [{ ...subscription, retainHandling: 0 as const }]
    await this.exchange({ type: 'SUBSCRIBE', packetId: 1, subscriptions }, (answer) => {
      this.filters.set(filter, qos)
      answer({ type: 'SUBACK', packetId: 1, reasonCodes: [qos] })
      for (const message of this.broker.retainedFor(filter)) this.deliver(message, qos)
    })
  }

  async unsubscribe(filter: string): Promise<void> {
    await this.exchange({ type: 'UNSUBSCRIBE', packetId: 1, topicFilters: [filter] }, (answer) => {
      this.filters.delete(filter)
      answer({ type: 'UNSUBACK', packetId: 1, reasonCodes: [0] })
    })
  }

  async ping(): Promise<number> {
    const begun = this.broker.clock.now()
    await this.exchange({ type: 'PINGREQ' }, (answer) => answer({ type: 'PINGRESP' }))
    return this.broker.clock.now() - begun
  }

  async close(): Promise<void> {
    if (this.state !== 'open') return
    this.state = 'closed'
    const { clock } = this.broker
    const passage = this.passed(this.up, 'sent', encodedLength({ type: 'DISCONNECT', reasonCode: 0 }, 5))
    await new Promise<void>((resolve) => {
      clock.after(passage.at - clock.now(), () => {
        this.broker.leave(this)
        resolve()
      })
    })
    this.rejectAll(new ConnectionLostError('the connection was closed'))
  }

  traffic(): Traffic {
    return { bytesSent: this.sent, bytesReceived: this.received }
  }

  /** @internal The device's power has gone: what is in the air still comes to the broker, no promise settles. */
  vanish(): void {
    this.state = 'closed'
    this.waiting.clear()
    const { clock } = this.broker
    // Long enough for what is in the air; the broker would notice at the keep alive.
    clock.after(60_000, () => this.broker.leave(this))
  }

  /** @internal The broker's process has died: its machine resets the connection. */
  broken(): void {
    this.known = false
    const { at, arrives } = this.passed(this.down, undefined, SYN_BYTES)
    if (!arrives) return
    this.later(at, () => this.end(new ConnectionLostError('connection reset')))
  }

  /** @internal A message for its subscribers; once, with the highest QoS of the filters that match. */
  route(message: ModelMessage): void {
    let granted = -1
    for (const [filter, qos] of this.filters) {
      if (qos > granted && matches(filter, message.topic)) granted = qos
    }
    if (granted >= 0) this.deliver(message, granted as 0 | 1 | 2)
  }

  private deliver(message: ModelMessage, granted: 0 | 1 | 2): void {
    const { topic, payload, retain } = message
    const qos = Math.min(message.qos, granted) as 0 | 1 | 2
    const bytes = encodedLength(publishPacket({ topic, payload, qos, retain }), 5)
    this.passDown(
      bytes,
      () => {
        if (this.state !== 'open') return
        void this.receiver.received(new ReceivedMessage(topic, payload, qos, retain))
        if (qos > 0) this.send({ type: 'PUBACK', packetId: 1, reasonCode: 0 }, () => {})
      },
      'received',
    )
  }

  /** Sends a packet and settles when its answer has come. @param arrived what the broker does with it */
  private exchange(packet: Packet, arrived: (answer: (packet: Packet) => void) => void): Promise<void> {
    if (packet.type !== 'CONNECT') this.check()
    return this.answered((done) => {
      this.send(packet, () => {
        arrived((answer) => this.passDown(encodedLength(answer, 5), done, 'received'))
      })
    })
  }

  private send(packet: Packet, arrived: () => void): void {
    const isFirst = packet.type === 'CONNECT'
    this.passUp(
      encodedLength(packet, 5),
      () => {
        if (this.broker.running && (this.known || isFirst)) arrived()
      },
      'sent',
    )
  }

  private answered(begin: (done: () => void, refuse: (error: Error) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { reject }
      this.waiting.add(waiting)
      const settle = (work: () => void) => (): void => {
        if (this.waiting.delete(waiting)) work()
      }
      begin(settle(resolve), (error) => settle(() => reject(error))())
    })
  }

  private passUp(bytes: number, arrived: () => void, counter?: 'sent'): void {
    const { at, arrives } = this.passed(this.up, counter, bytes)
    this.later(
      at,
      arrives ? arrived : () => this.end(new ConnectionLostError('no acknowledgement from the other side')),
    )
  }

  private passDown(bytes: number, arrived: () => void, counter?: 'received'): void {
    const { at, arrives } = this.passed(this.down, counter, bytes)
    this.later(at, () => {
      if (this.state === 'closed') return
      if (arrives) arrived()
      else this.end(new ConnectionLostError('the connection has stalled'))
    })
  }

  private passed(direction: Direction, counter: 'sent' | 'received' | undefined, bytes: number): Passage {
    const passage = direction.send(bytes, this.broker.clock.now())
    this.count(passage)
    if (counter !== undefined) this[counter] += bytes
    return passage
  }

  private later(at: number, work: () => void): void {
    const { clock } = this.broker
    clock.after(at - clock.now(), work)
  }

  /** The connection is over, and it was not our doing. */
  private end(error: Error): void {
    if (this.state === 'closed') return
    const wasOpen = this.state === 'open'
    this.state = 'closed'
    this.broker.leave(this)
    this.rejectAll(error)
    if (wasOpen) this.receiver.lost(error)
  }

  private rejectAll(error: Error): void {
    for (const { reject } of this.waiting) reject(error)
    this.waiting.clear()
  }

  private check(): void {
    if (this.state !== 'open') throw new ConnectionLostError('there is no connection')
  }
}

function publishPacket({ topic, payload, qos, retain }: ModelMessage): Packet {
  return { type: 'PUBLISH', topic, payload, qos, retain, dup: false, packetId: qos === 0 ? 0 : 1 }
}
