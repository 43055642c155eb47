import type { Packet, ProtocolVersion, Publish, QoS } from '@pipit/protocol'
import type { Tally } from './ledger.ts'
import { SessionClient } from './session-client.ts'

/** Receives, tallies and acknowledges, now and then late. It remembers QoS 2 identifiers as a receiver has to. */
export class Subscriber extends SessionClient {
  private readonly filters: readonly string[]
  private readonly qos: QoS
  private readonly tallies: ReadonlyMap<string, Tally>
  private readonly pending = new Set<number>()
  private subscribed = false
  private late: Packet[] = []
  private timer: NodeJS.Timeout | undefined = undefined
  private ready: (() => void) | undefined = undefined

  constructor(
    port: number,
    clientId: string,
    version: ProtocolVersion,
    what: { filters: readonly string[]; qos: QoS; tallies: ReadonlyMap<string, Tally> },
  ) {
    super(port, clientId, version)
    this.filters = what.filters
    this.qos = what.qos
    this.tallies = what.tallies
  }

  /** Settles when SUBACK has come. */
  async subscribe(): Promise<void> {
    const done = new Promise<void>((resolve) => (this.ready = resolve))
    await this.start()
    if (!this.subscribed) await done
  }

  protected begun(isNew: boolean): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.late = []
    if (isNew) {
      this.pending.clear()
      this.subscribed = false
    }
    if (this.subscribed) return
    const subscriptions = this.filters.map((topicFilter) => ({ topicFilter, qos: this.qos }))
    this.send({ type: 'SUBSCRIBE', packetId: 1, subscriptions })
  }

  protected handle(packet: Packet): void {
    if (packet.type === 'PUBLISH') this.take(packet)
    else if (packet.type === 'PUBREL') {
      this.pending.delete(packet.packetId)
      this.answer({ type: 'PUBCOMP', packetId: packet.packetId, reasonCode: 0 })
    } else if (packet.type === 'SUBACK') {
      this.subscribed = true
      this.ready?.()
    }
  }

  private take({ qos, packetId, topic, payload }: Publish): void {
    if (qos < 2 || !this.pending.has(packetId)) {
      this.tallies.get(topic)?.take(Number.parseInt(Buffer.from(payload).toString('latin1'), 10))
    }
    if (qos === 0) return
    if (qos === 2) this.pending.add(packetId)
    this.answer({ type: qos === 1 ? 'PUBACK' : 'PUBREC', packetId, reasonCode: 0 })
  }

  /** At once, or with what follows a little later: in order either way. */
  private answer(packet: Packet): void {
    if (this.late.length === 0 && Math.random() > 0.02) return this.send(packet)
    this.late.push(packet)
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      // An answer belongs to the connection of its question.
      const answers = this.late.splice(0)
      if (this.online) for (const each of answers) this.send(each)
    }, Math.random() * 12)
  }
}
