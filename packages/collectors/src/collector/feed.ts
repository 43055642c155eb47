import {
  type ClientMetrics,
  type MqttClient,
  MqttError,
  type NodeClientOptions,
  open,
  RequestRefusedError,
  type Servers,
  type Status,
} from '@pipit/client'
import type { StoreRecord } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import type { Collector, CollectorMetrics, CollectorState, Incoming } from './collector.ts'
import { type CollectorEventMap, Events } from './events.ts'

/** What every collector is told. */
export interface CollectorOptions {
  /** Tells collectors of one store apart. */
  readonly name?: string
  /** Absent: no connection; all data comes through `ingest`. */
  readonly broker?: Servers
  /** Where the records go. The collector does not close it: others may share it. */
  readonly store: Store
  /** Credentials, TLS, reconnecting (1 s to 120 s by default)… as the client takes them. */
  readonly client?: Omit<NodeClientOptions, 'alertAfterFailures' | 'signal' | 'store'>
  /** Failures in a row after which `alert` is told, and every time as many again. Default 5. */
  readonly alertAfterFailures?: number
  /** No data for this long is an `alert`; default: none. */
  readonly alertAfterSilenceMs?: number
  /** Told what a person should know, each thing once. Default: stderr. */
  readonly log?: (line: string) => void
}

/** What one message meant. */
export interface Reading {
  readonly records: readonly StoreRecord[]
  /** Why there are no records. */
  readonly skipped?: string
}

/** What makes a feed a collector of one kind. */
export interface Kind {
  readonly name: string
  readonly filters: readonly string[]
  /** Reads a message; what it throws counts as `malformed`. */
  read(message: Incoming): Reading
}

const CONNECT_TIMEOUT_MS = 10_000
const STATUS_EVERY_MS = 1_000
const CLOSE_TIMEOUT_MS = 2_000
const NO_METRICS = { attempts: 0, failures: {}, reconnects: 0 } as const

/** The life of a collector: connection, subscription, state, alerts, and the way into the store. */
export class Feed implements Collector {
  readonly name: string
  readonly broker: string
  state: CollectorState = { state: 'idle' }
  private readonly kind: Kind
  private readonly options: CollectorOptions
  private readonly events: Events
  private client: MqttClient | undefined = undefined
  private following: Promise<void> | undefined = undefined
  private stopping: Promise<void> | undefined = undefined
  private last: Pick<ClientMetrics, 'attempts' | 'failures' | 'reconnects'> = NO_METRICS
  private messages = 0
  private records = 0
  private lastDataAt: number | undefined = undefined
  private readonly skipped: Record<string, number> = {}
  private lastRefusal = ''
  private silence: NodeJS.Timeout | undefined = undefined
  private statusTimer: NodeJS.Timeout | undefined = undefined
  private reported = ''
  private stopWatchingStore: (() => void) | undefined = undefined

  constructor(kind: Kind, options: CollectorOptions) {
    this.kind = kind
    this.options = options
    this.name = options.name ?? kind.name
    this.broker = describe(options.broker)
    this.events = new Events((error) => this.log(`a handler failed: ${messageOf(error)}`))
  }

  start(): void {
    if (this.stopping !== undefined) throw new Error(`the collector ${this.name} was stopped`)
    if (this.statusTimer !== undefined) return
    const { broker, store, alertAfterSilenceMs } = this.options
    this.stopWatchingStore = store.onFault(({ code, message }) => {
      this.events.tell('alert', { kind: 'store', code, message })
    })
    if (broker !== undefined) this.connect(broker)
    this.statusTimer = setInterval(() => this.reportStatus(), STATUS_EVERY_MS).unref()
    if (alertAfterSilenceMs !== undefined) this.watchSilence(alertAfterSilenceMs, performance.now())
    this.reportStatus()
  }

  stop(): Promise<void> {
    this.stopping ??= this.end()
    return this.stopping
  }

  metrics(): CollectorMetrics {
    const { attempts, failures, reconnects } = this.client?.metrics() ?? this.last
    const { messages, lastDataAt, records } = this
    return { attempts, failures, reconnects, messages, lastDataAt, records, skipped: { ...this.skipped } }
  }

  ingest(message: Incoming): void {
    this.messages++
    this.lastDataAt = Date.now()
    let reading: Reading
    try {
      reading = this.kind.read(message)
    } catch {
      reading = { records: [], skipped: 'malformed' }
    }
    const { records, skipped } = reading
    for (const record of records) this.options.store.write(record)
    this.records += records.length
    if (skipped !== undefined) this.skipped[skipped] = (this.skipped[skipped] ?? 0) + 1
    this.events.tell('message', message)
  }

  on<Name extends keyof CollectorEventMap>(
    event: Name,
    handler: (value: CollectorEventMap[Name]) => unknown,
  ): () => void {
    return this.events.add(event, handler)
  }

  /** Tells those who listen for alerts. */
  alert(alert: CollectorEventMap['alert']): void {
    this.events.tell('alert', alert)
  }

  /** Publishes at QoS 0 while there is a connection. @returns whether there is */
  publish(topic: string, payload: string): boolean {
    if (this.client?.state !== 'connected') return false
    this.client.publish(topic, payload).catch((error: unknown) => this.log(`publish: ${messageOf(error)}`))
    return true
  }

  private connect(broker: Servers): void {
    const { client: given = {}, alertAfterFailures } = this.options
    const client = open(broker, {
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      ...given,
      // A refusal is waited out too: someone may mend the password on the other side.
      reconnect:
        given.reconnect === false ? false : { retryOn: () => true, ...(given.reconnect ?? undefined) },
      alertAfterFailures,
    })
    this.client = client
    this.state = { state: 'connecting' }
    client.onMessage((message) => this.ingest(message))
    client.onError((error) => this.log(messageOf(error)))
    client.onAlert((alert) => this.events.tell('alert', { kind: 'failures', ...alert }))
    client.onConnect(({ version }) => {
      this.lastRefusal = ''
      this.event('connect', `MQTT ${version}`)
      this.events.tell('connect', { version })
    })
    client.onDisconnect((error) => {
      this.event('disconnect', error.message)
      this.events.tell('disconnect', { error })
    })
    this.following = this.follow(client)
    void this.subscribe(client)
  }

  /** Keeps `state` in step with the client's. */
  private async follow(client: MqttClient): Promise<void> {
    for await (const status of client.status()) {
      this.state = stateOf(status, this.state)
      if (this.state.state === 'refused') this.refused(this.state.why)
      else if (this.state.state === 'waiting') this.event('waiting', this.state.error.message)
      this.reportStatus()
    }
  }

  /** Subscribes once; the client does so again on each new session. */
  private async subscribe(client: MqttClient): Promise<void> {
    try {
      const { filters } = this.kind
      const wanted = filters.map((filter) => ({ filter, qos: 1 as const, noLocal: true }))
      const { granted } = await client.subscribe(wanted)
      const refusals = [...granted].filter(([, code]) => code >= 0x80).map(([filter]) => filter)
      if (refusals.length > 0) this.refused(`the broker refused to subscribe to ${refusals.join(', ')}`)
    } catch (error) {
      if (!(error instanceof RequestRefusedError)) return
      this.state = { state: 'refused', why: error.message, error }
      this.refused(error.message)
      // The rights may be given later: asked again with the next connection.
      const ended = client.onConnect(() => {
        ended()
        void this.subscribe(client)
      })
    }
  }

  private refused(why: string): void {
    if (why === this.lastRefusal) return
    this.lastRefusal = why
    this.log(why)
    this.event('refused', why)
    this.events.tell('alert', { kind: 'refused', why })
  }

  private event(kind: string, detail: string): void {
    this.options.store.write({ table: 'events', collector: this.name, at: Date.now(), kind, detail })
  }

  /** Puts the state into the store when it is another than the last time. */
  private reportStatus(): void {
    const { name, broker, messages, lastDataAt, state } = this
    const { attempts } = this.metrics()
    const detail = state.state === 'refused' ? state.why : describeWait(state)
    const key = `${state.state} ${detail} ${attempts} ${messages}`
    if (key === this.reported) return
    this.reported = key
    const updatedAt = Date.now()
    this.options.store.write({
      table: 'collectors',
      name,
      broker,
      state: state.state,
      detail,
      attempts,
      messages,
      lastDataAt,
      updatedAt,
      pid: process.pid,
    })
  }

  /** One timer, set anew for what is left when it fires: a message costs nothing. */
  private watchSilence(afterMs: number, since: number): void {
    const seen = this.messages
    this.silence = setTimeout(
      () => {
        if (this.messages !== seen) {
          const elapsed = Date.now() - (this.lastDataAt ?? 0)
          this.watchSilence(afterMs, performance.now() - Math.min(elapsed, afterMs))
          return
        }
        this.events.tell('alert', { kind: 'silence', silentMs: Math.round(performance.now() - since) })
        this.watchSilence(afterMs, performance.now())
      },
      Math.max(1, afterMs - (performance.now() - since)),
    ).unref()
  }

  private async end(): Promise<void> {
    clearTimeout(this.silence)
    clearInterval(this.statusTimer)
    const { client } = this
    if (client !== undefined) {
      await client.close({ force: client.state !== 'connected', timeoutMs: CLOSE_TIMEOUT_MS })
      await this.following
      this.last = client.metrics()
      this.client = undefined
    }
    this.state = { state: 'stopped' }
    this.reportStatus()
    await this.options.store.flush()
    this.stopWatchingStore?.()
  }

  private log(line: string): void {
    const { log = (text) => process.stderr.write(`${text}\n`) } = this.options
    log(`${this.name}: ${line}`)
  }
}

function stateOf(status: Status, before: CollectorState): CollectorState {
  const { state, error, failures = 0, retryInMs = 0 } = status
  switch (state) {
    case 'connecting':
    case 'connected':
      return { state }
    case 'waiting': {
      const known = error ?? new Error('the connection failed')
      if (known instanceof MqttError && known.code === 'CONNECTION_REFUSED')
        return { state: 'refused', why: known.message, retryInMs, error: known }
      return { state: 'waiting', retryInMs, failures, error: known }
    }
    case 'closed':
      if (error !== undefined) return { state: 'waiting', retryInMs: Infinity, failures, error }
      return { state: 'stopped' }
    default:
      return before
  }
}

function describeWait(state: CollectorState): string | undefined {
  if (state.state !== 'waiting') return undefined
  return `${Math.ceil(state.retryInMs / 1000)} s, after ${state.failures} failures: ${state.error.message}`
}

/** The broker's address without what is secret in it. */
function describe(broker: Servers | undefined): string {
  if (broker === undefined) return 'none'
  const urls = Array.isArray(broker) ? broker : [broker]
  return urls
    .map((url) => {
      const { protocol, host, pathname } = new URL(url)
      return `${protocol}//${host}${pathname === '/' ? '' : pathname}`
    })
    .join(', ')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
