import { matches } from '@pipit/protocol'
import type { Clock } from '../clock.ts'
import type { ModelWire } from './model-wire.ts'
import type { Collected } from './world.ts'

/** Milliseconds from a message's coming to its being safe: what is on its way through here dies with the broker. */
const COMMIT_MS = 2
/** The collector is beside the broker. */
const COLLECTOR_MS = 1
/** How soon the collector is back after the broker is. */
const RETURN_MS = 1000

export interface ModelMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
}

/** A broker in virtual time, with what a fleet leans on: QoS 1 that is safe before it is acknowledged, retained
 *  messages, subscriptions, one collector with a session that outlives restarts. Sessions of devices end with their
 *  connections. */
export class ModelBroker {
  readonly clock: Clock
  /** Its process runs. */
  running = true
  private readonly collected: Collected
  private readonly filter: string
  private readonly retained = new Map<string, ModelMessage>()
  private readonly wires = new Set<ModelWire>()
  /** What the collector has not acknowledged, by the order in which it came. */
  private readonly owed = new Map<number, ModelMessage>()
  private collectorIsThere = true
  private stored = 0
  /** Counts the lives of the process: what one life began no other one ends. */
  private life = 0

  /** @param filter of what the collector gets */
  constructor(clock: Clock, filter: string, collected: Collected) {
    this.clock = clock
    this.filter = filter
    this.collected = collected
  }

  /** The process is killed: connections break, what is not safe is gone, the port refuses. */
  stop(): void {
    this.running = false
    this.collectorIsThere = false
    this.life++
    for (const wire of [...this.wires]) wire.broken()
    this.wires.clear()
  }

  /** It runs again with what was safe. */
  start(): void {
    this.running = true
    this.clock.after(
      RETURN_MS,
      this.inThisLife(() => {
        this.collectorIsThere = true
        // Sent before and not acknowledged: the same message once more.
        for (const key of [...this.owed.keys()]) this.deliver(key)
      }),
    )
  }

  enter(wire: ModelWire): void {
    this.wires.add(wire)
  }

  leave(wire: ModelWire): void {
    this.wires.delete(wire)
  }

  /** A message has come.
   *  @param safe called when it may be acknowledged; never, when the process dies before */
  take(message: ModelMessage, safe: () => void): void {
    const commit = this.inThisLife(() => {
      this.store(message)
      safe()
    })
    if (message.qos === 0) commit()
    else this.clock.after(COMMIT_MS, commit)
  }

  retainedFor(filter: string): ModelMessage[] {
    return [...this.retained.values()].filter(({ topic }) => matches(filter, topic))
  }

  private store(message: ModelMessage): void {
    const { topic, payload, retain } = message
    if (retain && payload.length === 0) this.retained.delete(topic)
    else if (retain) this.retained.set(topic, message)
    for (const wire of this.wires) wire.route({ ...message, retain: false })
    if (!matches(this.filter, topic)) return
    const key = this.stored++
    this.owed.set(key, message)
    if (this.collectorIsThere) this.deliver(key)
  }

  private deliver(key: number): void {
    this.clock.after(
      COLLECTOR_MS,
      this.inThisLife(() => {
        const message = this.owed.get(key)
        if (message === undefined) return
        this.collected(message.topic, message.payload)
        // Its acknowledgement may meet a broker that is gone; then the next life sends the message again.
        this.clock.after(
          COLLECTOR_MS,
          this.inThisLife(() => void this.owed.delete(key)),
        )
      }),
    )
  }

  private inThisLife(work: () => void): () => void {
    const { life } = this
    return () => {
      if (this.life === life) work()
    }
  }
}
