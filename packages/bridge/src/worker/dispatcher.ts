import { createHmac } from 'node:crypto'
import type { Engine } from '../engine/engine.ts'
import type { DeadLetter, HookState } from '../engine/hooks.ts'
import type { StoredMessage } from '../engine/messages.ts'
import type { Lease } from '../engine/sessions.ts'
import { messageView } from '../engine/view.ts'
import { EngineUnavailableError, LeaseLostError } from '../errors.ts'
import { backoffMs } from './backoff.ts'
import { Poster } from './poster.ts'
import { Wake } from './wake.ts'

export interface DispatcherOptions {
  readonly engine: Engine
  readonly lease: Lease
  /** Tries before a message is set aside as a dead letter. Default 8. */
  readonly maximumAttempts?: number
  /** How long a URL may take to answer. Default 10000. */
  readonly timeoutMs?: number
  /** Whether URLs may reach this machine and private networks. Default false. */
  readonly inside?: boolean
  /** The first wait after a failure; it doubles up to 5 minutes. Default 1000. */
  readonly firstRetryMs?: number
}

const LOOK_EVERY_MS = 1_000
const LONGEST_RETRY_MS = 300_000
const PAGE = 100

/** Delivers messages to webhooks: each hook's in their order, the next when the one before it was taken or set
 *  aside. A slow hook holds up no other. */
export class Dispatcher {
  private readonly options: Required<DispatcherOptions>
  private readonly runs = new Map<string, Promise<void>>()
  private readonly wakes = new Map<string, Wake>()
  private readonly wake = new Wake()
  private readonly life = new AbortController()
  private readonly poster: Poster

  constructor(options: DispatcherOptions) {
    const { inside = false, maximumAttempts = 8, timeoutMs = 10_000, firstRetryMs = 1_000 } = options
    this.options = { ...options, inside, maximumAttempts, timeoutMs, firstRetryMs }
    this.poster = new Poster({ isInsideAllowed: inside, timeoutMs })
  }

  /** There may be messages, or hooks. */
  nudge(): void {
    this.wake.call()
    for (const wake of this.wakes.values()) wake.call()
  }

  stop(): void {
    this.life.abort()
    this.nudge()
  }

  /** Delivers until it is stopped or has lost its lease. */
  async run(): Promise<void> {
    const { engine, lease } = this.options
    while (!this.life.signal.aborted) {
      const hooks = await engine.hooks.list().catch(() => [])
      for (const hook of hooks) if (!this.runs.has(hook.id)) this.begin(hook)
      await this.wake.wait(LOOK_EVERY_MS)
    }
    await Promise.all(this.runs.values())
    this.poster.close()
    await engine.sessions.release(lease).catch(() => {})
  }

  private begin(hook: HookState): void {
    this.wakes.set(hook.id, new Wake())
    const run = this.serve(hook.id).finally(() => {
      this.runs.delete(hook.id)
      this.wakes.delete(hook.id)
    })
    this.runs.set(hook.id, run)
  }

  /** One hook's deliveries, until it is gone. */
  private async serve(id: string): Promise<void> {
    const wake = this.wakes.get(id) ?? this.wake
    while (!this.life.signal.aborted) {
      try {
        const hook = (await this.options.engine.hooks.list()).find((each) => each.id === id)
        if (hook === undefined) return
        const waitMs = hook.nextAt - Date.now()
        const isBehind = waitMs > 0 ? false : await this.deliverSome(hook)
        if (!isBehind)
          await wake.wait(Math.max(1, Math.min(LOOK_EVERY_MS, waitMs > 0 ? waitMs : LOOK_EVERY_MS)))
      } catch (error) {
        if (error instanceof LeaseLostError) this.stop()
        else if (!(error instanceof EngineUnavailableError)) throw error
        else await wake.wait(LOOK_EVERY_MS)
      }
    }
  }

  /** @returns whether there may be more at once */
  private async deliverSome(hook: HookState): Promise<boolean> {
    const { engine, lease } = this.options
    const { filter, cursor } = hook
    const page = await engine.messages.read({ filter, after: cursor, limit: PAGE })
    let failures = hook.failures
    for (const message of page.messages) {
      if (this.life.signal.aborted) return false
      const fault = await this.post(hook, message)
      if (this.life.signal.aborted && fault !== undefined) return false
      if (fault === undefined) {
        failures = 0
        await engine.hooks.advance(lease, hook.id, { cursor: message.cursor, failures, nextAt: 0 })
      } else if (!(await this.failed(hook, message, fault, ++failures))) return false
      else failures = 0
    }
    if (page.next !== cursor && page.messages.at(-1)?.cursor !== page.next) {
      await engine.hooks.advance(lease, hook.id, { cursor: page.next, failures, nextAt: 0 })
    }
    return !page.atEnd
  }

  /** @returns true when the message was set aside, false when it is to be tried again */
  private async failed(
    hook: HookState,
    message: StoredMessage,
    reason: string,
    failures: number,
  ): Promise<boolean> {
    const { engine, lease, maximumAttempts, firstRetryMs } = this.options
    const { cursor, topic } = message
    if (failures < maximumAttempts) {
      const nextAt = Date.now() + backoffMs(failures, firstRetryMs, LONGEST_RETRY_MS)
      const { cursor: before } = hook
      // What was delivered of this page stays delivered: the hook's own cursor has moved on by now.
      const current = (await engine.hooks.list()).find(({ id }) => id === hook.id)
      await engine.hooks.advance(lease, hook.id, { cursor: current?.cursor ?? before, failures, nextAt })
      return false
    }
    const dead: DeadLetter = { hookId: hook.id, cursor, topic, reason, at: Date.now() }
    await engine.hooks.advance(lease, hook.id, { cursor, failures: 0, nextAt: 0 }, dead)
    return true
  }

  /** @returns why it was not taken */
  private post(hook: HookState, message: StoredMessage): Promise<string | undefined> {
    const body = JSON.stringify({ hook: hook.id, ...messageView(message) })
    const time = String(Math.floor(Date.now() / 1000))
    const signature = createHmac('sha256', hook.secret).update(`${time}.${body}`).digest('hex')
    const headers = {
      'content-type': 'application/json',
      'pipit-message': message.cursor,
      'pipit-signature': `t=${time},v1=${signature}`,
    }
    return this.poster.post(hook.url, body, headers, this.life.signal)
  }
}
