import { setTimeout as pause } from 'node:timers/promises'
import type { Connected, MqttClient } from '@pipit/client'
import type { Command } from '../engine/commands.ts'
import type { Engine } from '../engine/engine.ts'
import type { Lease } from '../engine/sessions.ts'
import { EngineUnavailableError } from '../errors.ts'
import { type BrokerOptions, openSession } from './connection.ts'
import { complain, type Log } from './log.ts'
import { Outcomes } from './outcomes.ts'
import { type Recovered, SessionJournal } from './session-journal.ts'
import { again, delivered, failed, publishProperties } from './verdicts.ts'
import { Wake } from './wake.ts'

export interface PublisherOptions {
  readonly engine: Engine
  readonly broker: BrokerOptions
  readonly lease: Lease
  /** Take up what an earlier holder left, claim nothing new, and end the session. */
  readonly drains: boolean
  /** Commands in flight at most. */
  readonly window: number
  /** After which a command is set aside. */
  readonly maximumAttempts: number
  readonly log: Log
  /** Told at the beginning of each connection. */
  readonly onConnect?: (connected: Connected) => void
  /** Told when one has ended. */
  readonly onDisconnect?: () => void
}

/** Nobody looks for commands more often unless told that there are some. */
const LOOK_EVERY_MS = 1_000
const REOPEN_MS = 1_000
/** A command in flight at this many ends of connections may be what ends them. */
const SUSPICIOUS_LOSSES = 3
/** How long stopping waits for what is in flight. */
const GOODBYE_MS = 3_000

/** Sends commands over one MQTT session: claims them, publishes, and keeps what came of them. What was in flight
 *  when an earlier holder of the session died goes on where it stood. */
export class Publisher {
  /** Publishes that were acknowledged. */
  acknowledged = 0
  isConnected = false
  private readonly options: PublisherOptions
  private readonly wake = new Wake()
  private client: MqttClient | undefined = undefined
  private outcomes: Outcomes | undefined = undefined
  private journal: SessionJournal
  private isStopping = false
  /** What an earlier holder left has been taken up. */
  private hasBegun = false
  private isLost = false
  private readonly inFlight = new Set<string>()
  /** How many connections have ended while a command was in flight. */
  private readonly losses = new Map<string, number>()
  private mustReopen = false
  /** Settled since the last turn of the loop, by what was in flight when an earlier process ended. */
  private recovered: Recovered[] = []
  /** All of those, in this life of the client. */
  private settledBefore: ReadonlySet<string> = new Set()

  constructor(options: PublisherOptions) {
    this.options = options
    this.journal = new SessionJournal(options.engine.sessions, options.lease)
  }

  /** There may be commands. */
  nudge(): void {
    this.wake.call()
  }

  /** Somebody else holds the session now: ends at once. */
  lose(): void {
    if (this.isLost) return
    this.isLost = true
    this.journal.abandon()
    this.outcomes?.abandon()
    this.client?.close({ force: true }).catch(() => {})
    this.wake.call()
  }

  /** Lets `run` end, once what is in flight is over or a few seconds have passed. */
  stop(): void {
    this.isStopping = true
    this.wake.call()
    // An engine that does not come back is not waited for: who has the session next finishes what was sent.
    setTimeout(() => this.outcomes?.abandon(), 2 * GOODBYE_MS).unref()
  }

  /** Works until it is stopped, has lost its lease, or has drained its session. */
  async run(): Promise<void> {
    const { lease, engine, log } = this.options
    while (!this.isLost && !this.isStopping) {
      try {
        if (await this.connection()) return
      } catch (error) {
        if (!(error instanceof EngineUnavailableError)) this.lose()
        log(`${lease.session}: ${(error as Error).message}`)
      }
      if (!this.isLost && !this.isStopping && !this.mustReopen) await pause(REOPEN_MS)
    }
    if (!this.isLost) await engine.sessions.release(lease).catch(() => {})
  }

  /** One life of the client. @returns true when the session has been ended */
  private async connection(): Promise<boolean> {
    const { engine, broker, lease, log } = this.options
    this.inFlight.clear()
    this.hasBegun = false
    this.mustReopen = false
    this.recovered = []
    this.journal = new SessionJournal(engine.sessions, lease)
    const settledBefore = new Set<string>()
    this.settledBefore = settledBefore
    this.journal.onRecovered = (recovered) => {
      settledBefore.add(recovered.commandId)
      this.recovered.push(recovered)
      this.wake.call()
    }
    this.journal.onLost = () => this.lose()
    const outcomes = new Outcomes(engine, lease, this.journal, (error) => {
      log(`${lease.session}: ${(error as Error).message}`)
      this.lose()
    })
    this.outcomes = outcomes
    const client = openSession(broker, lease, this.journal)
    this.client = client
    let isClosed = false
    const ended = client.closed.then((error) => {
      isClosed = true
      this.wake.call()
      return error
    })
    client.onError((error) => complain(log, lease.session, error))
    client.onConnect((connected) => this.connected(connected))
    client.onDisconnect(() => this.disconnected())
    // Commands wait meanwhile; who started the worker is to know why.
    client.onAlert(({ error }) => log(`${lease.session}: ${error.message}; it goes on trying`))
    try {
      let isDrained = false
      while (!isClosed && !this.isLost && !this.isStopping && !isDrained && !this.mustReopen) {
        const waitMs = this.isConnected ? await this.turn(outcomes) : LOOK_EVERY_MS
        isDrained = this.options.drains && this.hasBegun && (await this.isIdle(outcomes))
        if (waitMs > 0 && !isDrained) await this.wake.wait(waitMs)
      }
      if (isClosed && !this.isLost) {
        const error = await ended
        if (error !== undefined) log(`${lease.session}: ${error.message}`)
      }
      return this.mustReopen ? false : await this.leave(client, outcomes)
    } finally {
      this.isConnected = false
      outcomes.abandon()
      this.journal.abandon()
      await client.close({ force: true })
      await outcomes.settled()
    }
  }

  /** Takes up what is there to be done. @returns how long to wait for the next look */
  private async turn(outcomes: Outcomes): Promise<number> {
    try {
      this.takeRecovered(outcomes)
      if (!this.hasBegun) for (const command of await this.left()) this.send(command, outcomes)
      this.hasBegun = true
      return await this.claim(outcomes)
    } catch (error) {
      // What is in flight goes on; commands are claimed when the engine is back.
      if (!(error instanceof EngineUnavailableError)) throw error
      return LOOK_EVERY_MS
    }
  }

  private connected(connected: Connected): void {
    this.isConnected = true
    // The broker has forgotten the session: whether what it had taken went any further is not known.
    if (!connected.sessionPresent) {
      this.recovered = this.recovered.map((each) => (each.isCertain ? each : { ...each, wasTaken: false }))
    }
    this.options.onConnect?.(connected)
    this.wake.call()
  }

  /** The client would now send what was in flight one by one, to find a message that ends its connections. A broker
   *  that was restarted is the rule, though: unless a command has been there at several ends, the session is opened
   *  anew, and everything goes out again at once. */
  private disconnected(): void {
    this.isConnected = false
    this.options.onDisconnect?.()
    for (const id of this.inFlight) this.losses.set(id, (this.losses.get(id) ?? 0) + 1)
    const most = Math.max(...this.losses.values())
    // With nothing in flight there is nothing to send, and the client takes its time.
    this.mustReopen = this.inFlight.size > 0 && most < SUSPICIOUS_LOSSES
    this.wake.call()
  }

  /** What an earlier holder had claimed and not begun to send. */
  private async left(): Promise<readonly Command[]> {
    const { engine, lease } = this.options
    const claimed = await engine.commands.claimed(lease)
    return claimed.filter(({ id }) => {
      // Settled already; that may not be kept yet.
      if (this.settledBefore.has(id)) return false
      if (!this.journal.isInFlight(id)) return true
      this.inFlight.add(id)
      return false
    })
  }

  private takeRecovered(outcomes: Outcomes): void {
    for (const { commandId, wasTaken } of this.recovered.splice(0)) {
      this.forget(commandId)
      const reason = wasTaken
        ? 'acknowledged after a restart of the worker'
        : 'refused, after a restart of the worker'
      if (wasTaken) outcomes.add({ id: commandId, state: 'acknowledged', reasonCode: 0, reason })
      else outcomes.add({ id: commandId, state: 'queued', notBefore: Date.now(), reason })
    }
  }

  /** Claims and sends as many as there is room for. @returns how long to wait for the next look */
  private async claim(outcomes: Outcomes): Promise<number> {
    const { engine, lease, window, drains } = this.options
    const room = Math.min(window - this.inFlight.size, 256)
    if (drains || room <= 0) return LOOK_EVERY_MS
    const { commands, nextAt } = await engine.commands.claim(lease, room, Date.now())
    for (const command of commands) this.send(command, outcomes)
    if (commands.length === room) return 0
    return Math.max(1, Math.min(LOOK_EVERY_MS, (nextAt ?? Number.POSITIVE_INFINITY) - Date.now()))
  }

  private send(command: Command, outcomes: Outcomes): void {
    const { maximumAttempts } = this.options
    const { client, journal } = this
    const now = Date.now()
    if (client === undefined) return
    if (command.attempts > maximumAttempts) {
      outcomes.add(again(command, 'its worker ended each time', maximumAttempts, now))
      return
    }
    if (command.expiresAt !== undefined && command.expiresAt <= now) {
      outcomes.add({ id: command.id, state: 'expired' })
      return
    }
    this.inFlight.add(command.id)
    const { topic, payload, qos, retain } = command
    const properties = publishProperties(command, now)
    journal.command = command.id
    const publish = client.publish(topic, payload, { qos, retain, properties })
    journal.command = undefined
    publish
      .then(
        (result) => {
          this.acknowledged++
          return delivered(command, result)
        },
        (error: unknown) => {
          // The client has ended, and the session goes on with it when it is opened again.
          if (journal.isInFlight(command.id)) return undefined
          return failed(command, error, maximumAttempts, Date.now())
        },
      )
      .then((outcome) => {
        if (outcome !== undefined) this.forget(command.id)
        if (outcome !== undefined) outcomes.add(outcome)
        this.wake.call()
      })
  }

  private forget(commandId: string): void {
    this.inFlight.delete(commandId)
    this.losses.delete(commandId)
  }

  private async isIdle(outcomes: Outcomes): Promise<boolean> {
    await outcomes.settled()
    return this.inFlight.size === 0 && this.recovered.length === 0
  }

  /** Waits for what is in flight; ends the session for good when nothing is left in it.
   *  @returns true when it has been ended */
  private async leave(client: MqttClient, outcomes: Outcomes): Promise<boolean> {
    if (this.isLost) return false
    const { engine, lease } = this.options
    const until = Date.now() + GOODBYE_MS
    while (this.isConnected && this.inFlight.size > 0 && Date.now() < until) {
      await this.wake.wait(until - Date.now())
      this.takeRecovered(outcomes)
    }
    const isIdle = await this.isIdle(outcomes)
    const isOver = isIdle && this.isConnected && !this.isLost
    // Whoever is stopped keeps the session if anything is left in it; else the broker may forget it too.
    if (isOver) {
      await client.close({ timeoutMs: GOODBYE_MS, properties: { sessionExpiryInterval: 0 } })
      await engine.sessions.remove(lease, Date.now())
    }
    return isOver
  }
}
