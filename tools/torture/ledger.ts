import type { QoS } from '@pipit/protocol'

/** A run of numbered messages from one publisher on one topic. */
export class Stream {
  readonly topic: string
  readonly qos: QoS
  /** Numbers begin at 1. */
  sent = 0
  acknowledged = 0
  private readonly acks: number[] = []

  constructor(topic: string, qos: QoS) {
    this.topic = topic
    this.qos = qos
  }

  acknowledge(number: number): void {
    if (this.acks[number] === 1) return
    this.acks[number] = 1
    this.acknowledged++
  }

  isAcknowledged(number: number): boolean {
    return this.acks[number] === 1
  }
}

/** What one receiver, or one group of receivers that share, has of a stream. */
export class Tally {
  readonly stream: Stream
  /** Who receives. */
  readonly receiver: string
  received = 0
  /** Came again. */
  repeated = 0
  /** Came for the first time after a later one. */
  misordered = 0
  /** Told of each message that came again. */
  onRepeated: ((number: number) => void) | undefined = undefined
  private readonly counts: number[] = []
  private highest = 0

  constructor(receiver: string, stream: Stream) {
    this.receiver = receiver
    this.stream = stream
  }

  take(number: number): void {
    const before = this.counts[number] ?? 0
    this.counts[number] = before + 1
    if (before > 0) {
      this.repeated++
      this.onRepeated?.(number)
      return
    }
    this.received++
    if (number < this.highest) this.misordered++
    else this.highest = number
  }

  /** Acknowledged to their publisher and never received. */
  lost(): number[] {
    const missing: number[] = []
    for (let number = 1; number <= this.stream.sent; number++) {
      if (this.stream.isAcknowledged(number) && (this.counts[number] ?? 0) === 0) missing.push(number)
    }
    return missing
  }

  get complete(): boolean {
    return this.received >= this.stream.acknowledged && this.lost().length === 0
  }
}

/** What a topic may retain: the last acknowledged publication, or one sent after it. */
export class RetainedTopic {
  readonly topic: string
  readonly qos: QoS
  last = 0
  acknowledged = 0

  constructor(topic: string, qos: QoS) {
    this.topic = topic
    this.qos = qos
  }

  /** Every fifth publication clears the topic. */
  static payload(number: number): string {
    return number % 5 === 0 ? '' : String(number)
  }

  /** Says whether this may be there; undefined: nothing retained. */
  allows(payload: string | undefined): boolean {
    const possible: (string | undefined)[] = []
    for (let number = this.acknowledged; number <= this.last; number++) {
      const text = number === 0 ? '' : RetainedTopic.payload(number)
      possible.push(text === '' ? undefined : text)
    }
    return possible.includes(payload)
  }
}
