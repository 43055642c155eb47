import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Connected } from '@pipit/client'
import { checkTopicFilter } from '@pipit/protocol'
import type { Engine } from '../engine/engine.ts'
import type { AcquireOptions, Lease, SessionKind } from '../engine/sessions.ts'
import type { WorkerReport } from '../engine/workers.ts'
import type { BrokerOptions } from './connection.ts'
import { Dispatcher, type DispatcherOptions } from './dispatcher.ts'
import { overlapping } from './filters.ts'
import { Heartbeat } from './heartbeat.ts'
import { Listener } from './listener.ts'
import type { Log } from './log.ts'
import { Publisher } from './publisher.ts'
import { Wake } from './wake.ts'

export interface WorkerOptions {
  readonly engine: Engine
  readonly broker: BrokerOptions
  /** Topic Filters of what is stored; none may overlap another. Default `#`: all that does not begin with $. */
  readonly listen?: readonly string[]
  /** The name under which workers share their subscription. Default `pipit-bridge`. */
  readonly share?: string
  /** Commands in flight at most, for each worker. Default 512. */
  readonly window?: number
  /** After which a command is set aside. Default 16. */
  readonly maximumAttempts?: number
  /** How long a worker that says nothing keeps its sessions. Default 10000. */
  readonly leaseMs?: number
  readonly hooks?: Pick<DispatcherOptions, 'maximumAttempts' | 'timeoutMs' | 'firstRetryMs' | 'inside'>
  readonly keep?: KeepOptions
  readonly log?: Log
}

/** What is kept of the past. */
export interface KeepOptions {
  /** Messages; the last of each topic is kept besides. Default 1000000. */
  readonly messages?: number
  /** How long commands that are over can be asked for. Default a week. */
  readonly commandsMs?: number
}

export interface WorkerMetrics {
  readonly acknowledged: number
  readonly stored: number
  readonly dropped: number
  readonly sessions: number
}

interface Held {
  readonly lease: Lease
  readonly holder: { lose(): void; stop(): void }
  readonly over: Promise<void>
}

const WEEK_MS = 604_800_000
const LOOK_EVERY_MS = 1_000
const TRIM_EVERY_MS = 60_000

/** Sends commands and stores messages: holds leases of sessions, and takes up those that others have left. */
export class Worker {
  private readonly options: WorkerOptions
  /** How others know whose a lease is. */
  private readonly owner = `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`
  private readonly held = new Map<string, Held>()
  private readonly publishers = new Set<Publisher>()
  private readonly listeners = new Set<Listener>()
  private dispatcher: Dispatcher | undefined = undefined
  private readonly wake = new Wake()
  private heartbeat: Heartbeat | undefined = undefined
  private isStopping = false
  private running: Promise<void> | undefined = undefined
  private shares: boolean | undefined = undefined
  private trimmedAt = 0
  private fault: string | undefined = undefined
  private readonly totals = { acknowledged: 0, stored: 0, dropped: 0 }

  /** @throws TypeError, RangeError for filters that cannot be */
  constructor(options: WorkerOptions) {
    const filters = options.listen ?? ['#']
    for (const filter of filters) checkTopicFilter(filter)
    const pair = overlapping(filters)
    if (pair !== undefined) {
      throw new RangeError(
        `${pair[0]} and ${pair[1]} overlap: a message of both would be stored twice; leave one out`,
      )
    }
    this.options = options
  }

  start(): void {
    this.running ??= this.run()
  }

  /** Settles when what is in flight is over, or left for others to go on with. */
  async stop(): Promise<void> {
    this.isStopping = true
    this.wake.call()
    await this.running
  }

  metrics(): WorkerMetrics {
    const sum = { ...this.totals, sessions: this.held.size }
    for (const { acknowledged } of this.publishers) sum.acknowledged += acknowledged
    for (const { stored, dropped } of this.listeners) {
      sum.stored += stored
      sum.dropped += dropped
    }
    return sum
  }

  private report(): Omit<WorkerReport, 'until'> {
    const { acknowledged, stored, dropped } = this.metrics()
    const isConnected = [...this.publishers].some((publisher) => publisher.isConnected)
    return { name: this.owner, isConnected, acknowledged, stored, dropped }
  }

  private async run(): Promise<void> {
    const { engine } = this.options
    const unhear = engine.onChange((change) => {
      if (change === 'commands') for (const each of this.publishers) each.nudge()
      else this.dispatcher?.nudge()
    })
    const extending = setInterval(() => void this.extend(), this.leaseMs / 3)
    const heartbeat = new Heartbeat({
      workers: engine.workers,
      report: () => this.report(),
      believedMs: this.leaseMs,
    })
    this.heartbeat = heartbeat
    while (!this.isStopping) {
      // An engine that cannot be reached now is asked again in a second.
      await this.look().then(
        () => this.complain(undefined),
        (error: Error) => this.complain(error.message),
      )
      await this.wake.wait(LOOK_EVERY_MS)
    }
    for (const { holder } of this.held.values()) holder.stop()
    await Promise.all(Array.from(this.held.values(), ({ over }) => over))
    clearInterval(extending)
    unhear()
    await heartbeat.stop()
  }

  /** Takes what there is to be taken: a session for each kind of work, and those that somebody left. */
  private async look(): Promise<void> {
    if (this.primary(this.publishers) === undefined) await this.publish('any')
    else await this.publish('abandoned')
    if (this.shares === true)
      await this.listen(this.primary(this.listeners) === undefined ? 'any' : 'abandoned')
    else if (this.shares === false && this.listeners.size === 0) await this.listen('single')
    if (this.dispatcher === undefined) await this.dispatch()
    else await this.trim()
  }

  private primary(of: ReadonlySet<Publisher | Listener>): Publisher | Listener | undefined {
    for (const each of of) if (!this.draining.has(each)) return each
    return undefined
  }

  private readonly draining = new WeakSet<Publisher | Listener>()

  private async publish(which: 'any' | 'abandoned'): Promise<void> {
    const lease = await this.acquire('publisher', which)
    if (lease === undefined) return
    const { engine, broker, window = 512, maximumAttempts = 16 } = this.options
    const publisher = new Publisher({
      engine,
      broker,
      lease,
      drains: which === 'abandoned',
      window,
      maximumAttempts,
      log: (line) => this.log(line),
      onConnect: (connected) => {
        this.learn(connected)
        this.heartbeat?.beat()
      },
      onDisconnect: () => this.heartbeat?.beat(),
    })
    if (which === 'abandoned') this.draining.add(publisher)
    this.publishers.add(publisher)
    this.hold(lease, publisher, publisher.run(), () => {
      this.publishers.delete(publisher)
      this.totals.acknowledged += publisher.acknowledged
    })
  }

  private async listen(which: 'any' | 'abandoned' | 'single'): Promise<void> {
    const lease = await this.acquire('listener', which)
    if (lease === undefined) return
    const { engine, broker, listen: filters = ['#'], share = 'pipit-bridge' } = this.options
    const listener = new Listener({
      engine,
      broker,
      lease,
      filters,
      share: which === 'single' ? undefined : share,
      drains: which === 'abandoned',
      log: (line) => this.log(line),
    })
    if (which === 'abandoned') this.draining.add(listener)
    this.listeners.add(listener)
    this.hold(lease, listener, listener.run(), () => {
      this.listeners.delete(listener)
      this.totals.stored += listener.stored
      this.totals.dropped += listener.dropped
    })
  }

  private async dispatch(): Promise<void> {
    const lease = await this.acquire('dispatcher', 'single')
    if (lease === undefined) return
    const dispatcher = new Dispatcher({ engine: this.options.engine, lease, ...this.options.hooks })
    this.dispatcher = dispatcher
    const holder = { lose: () => dispatcher.stop(), stop: () => dispatcher.stop() }
    this.hold(lease, holder, dispatcher.run(), () => (this.dispatcher = undefined))
  }

  private acquire(kind: SessionKind, which: AcquireOptions['which']): Promise<Lease | undefined> {
    const { owner, leaseMs } = this
    return this.options.engine.sessions.acquire(kind, { owner, leaseMs, now: Date.now(), which })
  }

  private hold(lease: Lease, holder: Held['holder'], run: Promise<void>, ended: () => void): void {
    const over = run
      .catch((error: Error) => this.log(`${lease.session}: ${error.message}`))
      .finally(() => {
        this.held.delete(lease.session)
        ended()
      })
    this.held.set(lease.session, { lease, holder, over })
  }

  /** What the broker can decides how messages are shared out. */
  private learn({ version, properties }: Connected): void {
    const shares = version === '5.0' && properties.sharedSubscriptionAvailable !== 0
    if (this.shares === shares) return
    this.shares = shares
    this.wake.call()
  }

  private async extend(): Promise<void> {
    const leases = Array.from(this.held.values(), ({ lease }) => lease)
    if (leases.length === 0) return
    try {
      const kept = await this.options.engine.sessions.extend(leases, Date.now(), this.leaseMs)
      const names = new Set(kept.map(({ session }) => session))
      for (const { session, epoch } of leases) {
        const held = this.held.get(session)
        if (!names.has(session) && held?.lease.epoch === epoch) held.holder.lose()
      }
    } catch {
      // Who cannot reach the engine keeps at it: whoever took a session over is known by its epoch.
    }
  }

  /** The dispatcher's worker clears away the past. */
  private async trim(): Promise<void> {
    const now = Date.now()
    if (now - this.trimmedAt < TRIM_EVERY_MS) return
    this.trimmedAt = now
    const { engine, keep = {} } = this.options
    await engine.messages.trim({ maximumMessages: keep.messages ?? 1_000_000 })
    await engine.commands.trim(now - (keep.commandsMs ?? WEEK_MS), now)
  }

  private get leaseMs(): number {
    return this.options.leaseMs ?? 10_000
  }

  /** Says what is wrong once, not every second. */
  private complain(fault: string | undefined): void {
    if (fault !== undefined && fault !== this.fault) this.log(fault)
    this.fault = fault
  }

  private log(line: string): void {
    this.options.log?.(line)
  }
}
