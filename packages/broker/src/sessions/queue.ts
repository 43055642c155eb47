import type { Delivery } from '../routing/delivery.ts'

/** What all queues of a broker hold together. */
export interface QueueTotals {
  messages: number
  bytes: number
  /** Bytes of payloads that are in flight at QoS 1 and 2. */
  inflightBytes: number
}

/** Deliveries that wait for a session, first in first out, in a ring that grows. */
export class DeliveryQueue {
  /** How many wait. */
  length = 0
  /** What they count for together. */
  bytes = 0
  /** How many of them are of QoS 0. */
  atQoS0 = 0
  private ring: (Delivery | undefined)[] = []
  private head = 0
  private readonly totals: QueueTotals

  /** @param totals of all queues together, kept up to date */
  constructor(totals: QueueTotals) {
    this.totals = totals
  }

  push(delivery: Delivery): void {
    if (this.length === this.ring.length) this.grow()
    this.ring[(this.head + this.length) & (this.ring.length - 1)] = delivery
    this.length++
    this.bytes += delivery.size
    if (delivery.qos === 0) this.atQoS0++
    this.totals.messages++
    this.totals.bytes += delivery.size
  }

  /** The oldest, left where it is. */
  peek(): Delivery | undefined {
    return this.length === 0 ? undefined : this.ring[this.head]
  }

  /** Takes the oldest. */
  shift(): Delivery | undefined {
    if (this.length === 0) return undefined
    const delivery = this.ring[this.head]!
    this.ring[this.head] = undefined
    this.head = (this.head + 1) & (this.ring.length - 1)
    this.length--
    this.bytes -= delivery.size
    if (delivery.qos === 0) this.atQoS0--
    this.totals.messages--
    this.totals.bytes -= delivery.size
    return delivery
  }

  /** Takes all, oldest first. */
  drain(): Delivery[] {
    const all: Delivery[] = []
    for (let delivery = this.shift(); delivery !== undefined; delivery = this.shift()) all.push(delivery)
    this.ring = []
    this.head = 0
    return all
  }

  private grow(): void {
    const { ring, head } = this
    const larger: (Delivery | undefined)[] = new Array(Math.max(16, ring.length * 2)).fill(undefined)
    for (let i = 0; i < ring.length; i++) larger[i] = ring[(head + i) & (ring.length - 1)]
    this.ring = larger
    this.head = 0
  }
}
