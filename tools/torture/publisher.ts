import type { Packet, ProtocolVersion, QoS } from '@pipit/protocol'
import { RetainedTopic, type Stream } from './ledger.ts'
import { SessionClient } from './session-client.ts'

interface InFlight {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly done: () => void
  /** QoS 2: PUBREC came, PUBREL is next. */
  released: boolean
}

/** Few, so that each comes round often: what the broker has kept of one by mistake shows. */
const IDENTIFIERS = 300

/** Publishes its streams as fast as its window lets it, and sends again what was not acknowledged, in order. */
export class Publisher extends SessionClient {
  /** Refused by the broker (0x80 and above) and published again. */
  refused = 0
  private readonly streams: readonly Stream[]
  private readonly retained: readonly RetainedTopic[]
  private readonly window: number
  private readonly inFlight = new Map<number, InFlight>()
  private readonly again: InFlight[] = []
  private lastId = 0
  private turn = 0
  private running = false
  private idle: (() => void) | undefined

  constructor(
    port: number,
    clientId: string,
    version: ProtocolVersion,
    work: { streams: readonly Stream[]; retained: readonly RetainedTopic[]; window: number },
  ) {
    super(port, clientId, version)
    this.streams = work.streams
    this.retained = work.retained
    this.window = work.window
  }

  get unacknowledged(): number {
    return this.inFlight.size + this.again.length
  }

  run(): void {
    this.running = true
    if (this.online) this.pump()
  }

  /** Begins nothing new; settles when all is acknowledged. */
  async finish(): Promise<void> {
    this.running = false
    if (this.unacknowledged > 0) await new Promise<void>((resolve) => (this.idle = resolve))
  }

  protected begun(): void {
    for (const [packetId, each] of this.inFlight) {
      if (each.released) this.send({ type: 'PUBREL', packetId, reasonCode: 0 })
      else this.transmit(packetId, each, true)
    }
    this.pump()
  }

  protected handle(packet: Packet): void {
    if (packet.type === 'PUBACK') this.settle(packet.packetId, packet.reasonCode)
    else if (packet.type === 'PUBCOMP') this.settle(packet.packetId, 0)
    else if (packet.type === 'PUBREC') {
      const each = this.inFlight.get(packet.packetId)
      if (packet.reasonCode >= 0x80) return this.settle(packet.packetId, packet.reasonCode)
      if (each !== undefined) each.released = true
      this.send({ type: 'PUBREL', packetId: packet.packetId, reasonCode: 0 })
    }
  }

  private settle(packetId: number, reasonCode: number): void {
    const each = this.inFlight.get(packetId)
    if (each === undefined) return
    this.inFlight.delete(packetId)
    if (reasonCode >= 0x80) {
      this.refused++
      this.again.push(each)
      setTimeout(() => this.pump(), 50).unref()
      return
    }
    each.done()
    if (this.unacknowledged === 0 && !this.running) this.idle?.()
    this.pump()
  }

  private pump(): void {
    while (this.online && this.inFlight.size < this.window && this.again.length > 0)
      this.begin(this.again.shift()!)
    while (this.online && this.running && this.inFlight.size < this.window) this.begin(this.next())
  }

  private begin(each: InFlight): void {
    do this.lastId = (this.lastId % IDENTIFIERS) + 1
    while (this.inFlight.has(this.lastId))
    this.inFlight.set(this.lastId, each)
    this.transmit(this.lastId, each, false)
  }

  private next(): InFlight {
    const turn = this.turn++
    if (turn % 10 === 9) {
      const topic = this.retained.find((each) => each.last === each.acknowledged)
      if (topic !== undefined) return retention(topic)
    }
    const stream = this.streams[turn % this.streams.length]!
    const number = ++stream.sent
    // A page of the database holds 4096 bytes: some messages take more than one.
    const text = `${number} ${'x'.repeat(turn % 50 === 0 ? 5000 : turn % 40)}`
    const done = (): void => stream.acknowledge(number)
    return {
      topic: stream.topic,
      payload: Buffer.from(text),
      qos: stream.qos,
      retain: false,
      done,
      released: false,
    }
  }

  private transmit(packetId: number, { topic, payload, qos, retain }: InFlight, dup: boolean): void {
    this.send({ type: 'PUBLISH', topic, payload, qos, retain, dup, packetId })
  }
}

function retention(topic: RetainedTopic): InFlight {
  const number = ++topic.last
  const done = (): void => {
    topic.acknowledged = number
  }
  const payload = Buffer.from(RetainedTopic.payload(number))
  return { topic: topic.topic, payload, qos: topic.qos, retain: true, done, released: false }
}
