import { setTimeout as pause } from 'node:timers/promises'
import { type Message, type MqttClient, RequestRefusedError } from '@pipit/client'
import type { MessageProperties } from '../engine/commands.ts'
import type { Engine } from '../engine/engine.ts'
import type { NewMessage } from '../engine/messages.ts'
import type { Lease } from '../engine/sessions.ts'
import { EngineUnavailableError } from '../errors.ts'
import { type BrokerOptions, openSession } from './connection.ts'
import { complain, type Log } from './log.ts'
import { SessionJournal } from './session-journal.ts'
import { ID_PROPERTY } from './verdicts.ts'
import { Wake } from './wake.ts'

export interface ListenerOptions {
  readonly engine: Engine
  readonly broker: BrokerOptions
  readonly lease: Lease
  /** Topic Filters, without `$share`. */
  readonly filters: readonly string[]
  /** The name that sessions share their subscription under; absent: this session is the only one. */
  readonly share?: string
  /** Take what is on its way to an earlier holder's session, then end it. */
  readonly drains: boolean
  readonly log: Log
}

/** Messages that one commit holds at most, and bytes, unless one message has more. */
const BATCH = 1_000
const BATCH_BYTES = 16_777_216
/** QoS 0 messages that wait for the engine; the others are bounded by Receive Maximum. */
const QOS0_WAITING = 10_000
const RETRY_MS = 250
const REOPEN_MS = 1_000
/** How long to wait after the broker has refused all filters. */
const REFUSED_MS = 30_000

/** Stores what comes over one MQTT session. A message is acknowledged to the broker once it is stored, and the
 *  Packet Identifier of a QoS 2 message is stored in the same commit: a copy of it is then known as such. */
export class Listener {
  /** Messages that were new. */
  stored = 0
  /** QoS 0 messages that came faster than they could be stored. */
  dropped = 0
  private readonly options: ListenerOptions
  private journal: SessionJournal
  private client: MqttClient | undefined = undefined
  private readonly wake = new Wake()
  private waiting: Message[] = []
  private atMostOnce = 0
  private storing: Promise<void> | undefined = undefined
  private isStopping = false
  private isLost = false
  /** Handed to the engine under this lease, as far as it goes by their numbers. */
  private batches = 0
  /** Messages that have come: grows while something is on its way. */
  private count = 0

  constructor(options: ListenerOptions) {
    this.options = options
    this.journal = new SessionJournal(options.engine.sessions, options.lease)
  }

  /** Somebody else holds the session now: ends at once. */
  lose(): void {
    this.isLost = true
    this.journal.abandon()
    this.client?.close({ force: true }).catch(() => {})
    this.wake.call()
  }

  /** Lets `run` end, once what has come is stored. */
  stop(): void {
    this.isStopping = true
    this.wake.call()
  }

  /** Works until it is stopped, has lost its lease, or has drained its session. */
  async run(): Promise<void> {
    const { lease, engine, log } = this.options
    while (!this.isLost && !this.isStopping) {
      try {
        if (await this.connection()) return
      } catch (error) {
        log(`${lease.session}: ${(error as Error).message}`)
      }
      if (!this.isLost && !this.isStopping) await pause(REOPEN_MS)
    }
    if (!this.isLost) await engine.sessions.release(lease).catch(() => {})
  }

  /** One life of the client. @returns true when the session has been ended */
  private async connection(): Promise<boolean> {
    const { engine, broker, lease, filters, share, drains, log } = this.options
    this.journal = new SessionJournal(engine.sessions, lease)
    this.journal.onLost = () => this.lose()
    this.waiting = []
    this.atMostOnce = 0
    const client = openSession(broker, lease, this.journal)
    this.client = client
    client.onError((error) => complain(log, lease.session, error))
    // Before the connection is there: a session that was kept brings messages at once.
    client.onMessage((message) => this.take(message), { acknowledge: 'manual' })
    let isClosed = false
    const ended = client.closed.then((error) => {
      isClosed = true
      this.wake.call()
      return error
    })
    const wanted = filters.map((filter) => (share === undefined ? filter : `$share/${share}/${filter}`))
    try {
      if (drains) return await this.drain(client, wanted)
      void this.subscribe(client, wanted)
      while (!isClosed && !this.isLost && !this.isStopping) await this.wake.wait(REOPEN_MS)
      if (isClosed && !this.isLost) throw (await ended) ?? new Error('the connection has ended')
      // What has come is stored and acknowledged; the rest waits in the session for the next holder.
      await this.storing
      return false
    } finally {
      this.journal.abandon()
      await client.close(this.isLost ? { force: true } : { timeoutMs: 2_000 }).catch(() => {})
    }
  }

  /** Subscribes, again and again until it has worked: a connection may end in between. */
  private async subscribe(client: MqttClient, wanted: readonly string[]): Promise<void> {
    const { lease, log } = this.options
    while (client.state !== 'closed' && client.state !== 'closing') {
      try {
        // What is retained was stored when it was published.
        const { granted } = await client.subscribe(wanted, { qos: 2, retainHandling: 1 })
        for (const [filter, code] of granted) {
          if (code >= 0x80) log(`${lease.session}: the broker does not let it listen to ${filter}`)
        }
        return
      } catch (error) {
        complain(log, lease.session, error)
        await pause(error instanceof RequestRefusedError ? REFUSED_MS : RETRY_MS)
      }
    }
  }

  /** Leaves the shared subscription, takes what is on its way, and ends the session.
   *  @returns true when it has been ended */
  private async drain(client: MqttClient, filters: readonly string[]): Promise<boolean> {
    const { engine, lease } = this.options
    const { signal, cancel } = this.untilEnd(client)
    try {
      await client.unsubscribe(filters, { signal })
      for (;;) {
        const before = this.count
        // Sent behind whatever the broker may send now, as nothing that it waits for is missing.
        await this.storing
        await client.ping({ signal })
        if (this.count === before && this.storing === undefined) break
      }
      await client.close({ properties: { sessionExpiryInterval: 0 } })
      await engine.sessions.remove(lease, Date.now())
      return true
    } finally {
      cancel()
    }
  }

  private untilEnd(client: MqttClient): { signal: AbortSignal; cancel: () => void } {
    const controller = new AbortController()
    const timer = setInterval(() => {
      if (this.isLost || this.isStopping) controller.abort(new Error('the session was left'))
    }, 200)
    void client.closed.then((error) => controller.abort(error ?? new Error('the connection has ended')))
    return { signal: controller.signal, cancel: () => clearInterval(timer) }
  }

  private take(message: Message): void {
    this.count++
    if (message.qos === 0 && this.atMostOnce >= QOS0_WAITING) {
      this.dropped++
      return
    }
    if (message.qos === 0) this.atMostOnce++
    this.waiting.push(message)
    this.storing ??= this.store()
  }

  private async store(): Promise<void> {
    // All that one read of the socket brought is one commit.
    await new Promise((resolve) => setImmediate(resolve))
    try {
      while (this.waiting.length > 0 && !this.isLost) await this.storeSome(this.nextBatch())
    } catch (error) {
      this.options.log(`${this.options.lease.session}: ${(error as Error).message}`)
      this.lose()
    } finally {
      this.storing = undefined
    }
  }

  /** As many as are worth one commit. */
  private nextBatch(): readonly Message[] {
    let bytes = 0
    const end = this.waiting.findIndex(({ payload }, i) => {
      bytes += payload.length
      return i === BATCH || (i > 0 && bytes > BATCH_BYTES)
    })
    return this.waiting.splice(0, end < 0 ? this.waiting.length : end)
  }

  private async storeSome(messages: readonly Message[]): Promise<void> {
    const keys = messages.filter(({ qos }) => qos === 2).map(({ packetId }) => `r${packetId}`)
    const changes = keys.map((key) => ({ key, value: new Uint8Array(0) }))
    const now = Date.now()
    const rows = messages.map((message) => newMessage(message, now))
    this.stored += await this.append(rows, changes)
    for (const message of messages) {
      if (message.qos === 0) this.atMostOnce--
      message.acknowledge()
    }
    // The session may have ended meanwhile: then the identifiers mean other messages from now on.
    this.journal.forgetUnknown(keys)
  }

  private async append(
    rows: readonly NewMessage[],
    changes: readonly { key: string; value: Uint8Array }[],
  ): Promise<number> {
    const { engine, lease } = this.options
    const batch = ++this.batches
    for (;;) {
      try {
        return await engine.messages.append(lease, rows, changes, batch)
      } catch (error) {
        // Who is stopped leaves with the broker what cannot be stored now.
        const isLeaving = this.isLost || this.isStopping
        if (!(error instanceof EngineUnavailableError) || isLeaving) throw error
        await pause(RETRY_MS)
      }
    }
  }
}

function newMessage({ topic, payload, qos, retain, properties }: Message, receivedAt: number): NewMessage {
  const {
    userProperties = [],
    contentType,
    responseTopic,
    correlationData,
    payloadFormatIndicator,
  } = properties
  const kept: MessageProperties = {
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(payloadFormatIndicator === undefined ? {} : { payloadFormatIndicator }),
    ...(correlationData === undefined
      ? {}
      : { correlationData: Buffer.from(correlationData).toString('base64') }),
    ...(userProperties.length === 0 ? {} : { userProperties }),
  }
  const id = userProperties.find(([name]) => name === ID_PROPERTY)?.[1]
  return {
    topic,
    // A view of all that was read with it: only its own bytes go to the engine.
    payload: payload.slice(),
    qos,
    retain,
    receivedAt,
    ...(Object.keys(kept).length === 0 ? {} : { properties: kept }),
    // An id is its publisher's own: of another topic it may mean another message.
    ...(id === undefined ? {} : { uniqueId: `${topic}\n${id}` }),
  }
}
