import { setTimeout as pause } from 'node:timers/promises'
import type { Store } from '@pipit/client'
import type { Lease, SessionChange, SessionStore } from '../engine/sessions.ts'
import { BridgeError, EngineUnavailableError, LeaseLostError } from '../errors.ts'

/** What stands in the records that the client's journal writes: a message's PUBLISH begins behind its time, and
 *  the last byte of its phase says what it waits for. */
const PACKET_AT = 8
const PHASE_AT = 2
const AWAITING_PUBCOMP = 3
/** How long to wait before a write that failed is tried again, milliseconds. */
const RETRY_MS = 250
/** How long a client that is closed by force may have its socket. */
const LEAVING_MS = 100

/** A message that an earlier process had begun and that has been settled. */
export interface Recovered {
  readonly commandId: string
  /** The broker had taken it: PUBREC had come. Otherwise it was refused, or given up. */
  readonly wasTaken: boolean
  /** It was settled before its process ended. */
  readonly isCertain: boolean
}

/** Keeps a client's session in the engine: what is in flight at QoS 2, and what was received and waits for PUBREL.
 *
 *  Keys are the client's (`m` message, `s` phase, `r` received, `c` Client Identifier) and one more: `d`, a message
 *  that is settled and whose command is not finished yet. Without it a crash between the two would send it again.
 *  Messages of QoS 1 are not kept: a crash sends them again anyway. */
export class SessionJournal implements Store {
  /** The command whose `publish` is being called: a message put meanwhile is of it. */
  command: string | undefined = undefined
  /** Told of each message of an earlier process once it is settled. */
  onRecovered: (recovered: Recovered) => void = () => {}
  /** Told when somebody else holds the session: its client has to end. */
  onLost: () => void = () => {}
  private readonly sessions: SessionStore
  private readonly lease: Lease
  private pending: SessionChange[] = []
  private writing: Promise<void> | undefined = undefined
  private next: Promise<void> | undefined = undefined
  private isAbandoned = false
  /** The command of each message that is kept, by the message's number. */
  private readonly commands = new Map<string, string>()
  private readonly phases = new Map<string, number>()
  /** Numbers of messages that an earlier process began. */
  private readonly earlier = new Set<string>()
  private readonly received = new Set<string>()
  /** Commands of messages that are kept and not settled. */
  private readonly unsettled = new Set<string>()

  constructor(sessions: SessionStore, lease: Lease) {
    this.sessions = sessions
    this.lease = lease
  }

  async open(): Promise<ReadonlyMap<string, Uint8Array>> {
    const given = new Map<string, Uint8Array>()
    for (const { key, value, commandId } of await this.sessions.records(this.lease)) {
      const number = key.slice(1)
      if (commandId !== undefined) this.commands.set(number, commandId)
      if (commandId !== undefined && key.startsWith('m')) this.unsettled.add(commandId)
      if (key.startsWith('s')) this.phases.set(number, value[PHASE_AT] ?? 0)
      else if (key.startsWith('r')) this.received.add(key)
      else if (key.startsWith('m')) this.earlier.add(number)
      if (key.startsWith('d') && commandId !== undefined) {
        this.onRecovered({ commandId, wasTaken: value[0] === AWAITING_PUBCOMP, isCertain: true })
      } else given.set(key, value)
    }
    return given
  }

  put(key: string, value: Uint8Array): void {
    const number = key.slice(1)
    if (key.startsWith('m')) {
      const qos = ((value[PACKET_AT] ?? 0) >> 1) & 3
      if (this.command === undefined || qos !== 2) return
      this.commands.set(number, this.command)
      this.unsettled.add(this.command)
      this.pending.push({ key, value, commandId: this.command })
      return
    }
    if (key.startsWith('s')) {
      if (!this.commands.has(number)) return
      this.phases.set(number, value[PHASE_AT] ?? 0)
    } else if (key.startsWith('r')) this.received.add(key)
    this.pending.push({ key, value })
  }

  delete(key: string): void {
    if (key.startsWith('m')) this.settle(key.slice(1))
    else if (key.startsWith('r') && this.received.delete(key)) this.pending.push({ key, value: undefined })
    else if (key.startsWith('s') && this.earlier.has(key.slice(1))) this.requeue(key.slice(1))
  }

  /** A message of this command is kept and not settled: who opens the session next goes on with it. */
  isInFlight(commandId: string): boolean {
    return this.unsettled.has(commandId)
  }

  /** What goes from the session when commands are over. */
  changesFor(commandIds: ReadonlySet<string>): SessionChange[] {
    const keys = new Set<string>()
    for (const [number, commandId] of this.commands) {
      if (!commandIds.has(commandId)) continue
      this.commands.delete(number)
      this.phases.delete(number)
      for (const letter of ['m', 's', 'd']) keys.add(letter + number)
    }
    // What waits to be written would come after that, and stay.
    if (keys.size > 0) this.pending = this.pending.filter(({ key }) => !keys.has(key))
    return Array.from(keys, (key) => ({ key, value: undefined }))
  }

  /** Takes away records of received messages, written by other means, that the client does not know of. */
  forgetUnknown(keys: readonly string[]): void {
    for (const key of keys) if (!this.received.has(key)) this.pending.push({ key, value: undefined })
    if (this.pending.length > 0) this.commit().catch(() => {})
  }

  /** Changes made while one write is on its way leave together with the next. */
  commit(): Promise<void> {
    if (this.isAbandoned) return this.abandoned()
    if (this.writing === undefined) {
      if (this.pending.length === 0) return Promise.resolve()
      this.writing = this.write().finally(() => {
        this.writing = undefined
      })
      return this.writing
    }
    if (this.pending.length === 0) return this.writing
    this.next ??= this.writing
      .catch(() => {})
      .then(() => {
        this.next = undefined
        return this.commit()
      })
    return this.next
  }

  /** Begins no more writes: who opens the session next goes on from what has been written. */
  abandon(): void {
    this.isAbandoned = true
  }

  async close(): Promise<void> {
    await this.commit()
  }

  /** The client goes on when its store fails. It must not here: what it would send next is the new holder's to send.
   *  So it hears of it once its connection is gone. */
  private async lose(): Promise<void> {
    this.onLost()
    await pause(LEAVING_MS)
  }

  private async abandoned(): Promise<never> {
    await this.writing?.catch(() => {})
    throw new BridgeError('ABANDONED', 'the session has been left')
  }

  /** The client has sent what it had to send, or given it up. */
  private settle(number: string): void {
    const commandId = this.commands.get(number)
    if (commandId === undefined) return
    this.unsettled.delete(commandId)
    const phase = this.phases.get(number) ?? 0
    for (const letter of ['m', 's']) this.pending.push({ key: letter + number, value: undefined })
    this.pending.push({ key: `d${number}`, value: Uint8Array.of(phase), commandId })
    if (this.earlier.delete(number))
      this.onRecovered({ commandId, wasTaken: phase === AWAITING_PUBCOMP, isCertain: false })
  }

  /** The session is gone: the message is sent as a new one. Its phase goes with its message when that is settled,
   *  which the client says by taking the phase away first. */
  private requeue(number: string): void {
    this.pending.push({ key: `s${number}`, value: undefined })
  }

  /** An exchange whose next step is not kept must not take it: so this waits for the engine, however long. */
  private async write(): Promise<void> {
    const changes = this.pending
    this.pending = []
    for (;;) {
      try {
        return await this.sessions.write(this.lease, changes)
      } catch (error) {
        if (error instanceof LeaseLostError) await this.lose()
        if (!(error instanceof EngineUnavailableError) || this.isAbandoned) throw error
        await pause(RETRY_MS)
      }
    }
  }
}
