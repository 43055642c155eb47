import { type Clock, systemClock } from '../clock.ts'
import { type DeviceLink, deviceTopics } from '../link.ts'
import type { Rgbw } from './colour.ts'
import { LightCommandError, parseLightCommand } from './commands.ts'
import { Light, type LightState } from './light.ts'

export interface RunLightOptions {
  /** What the device's topics begin with; default `sensors/esp32-s3`. */
  readonly prefix?: string
  readonly clock?: Clock
  /** Shows the light: called at once, at each command that was obeyed and, while an effect moves, at each
   *  picture of it. Without it an effect costs no time at all. */
  readonly onShow?: (colour: Rgbw, state: LightState) => void
  /** Told of each command that was refused, and of a publish that failed. */
  readonly onFault?: (error: Error) => void
}

export interface RunningLight {
  readonly light: Light
  /** Settles when the subscription ends, with the connection; rejects with what ended it. */
  readonly done: Promise<void>
  /** Ends effects and says `offline`. Closing the client is the caller's. */
  stop(): Promise<void>
}

/** Runs a light on a connection: it obeys `{prefix}/led/control`, says its state retained on
 *  `{prefix}/led/state`, answers a bad command on `{prefix}/led/error` and says `online` on
 *  `{prefix}/status`. The connection should have been made with `statusWill(prefix)` as its will.
 *  @returns once it is subscribed and has said its state
 *  @throws what `client.subscribe` throws when it is refused */
export async function runLight(client: DeviceLink, options: RunLightOptions = {}): Promise<RunningLight> {
  const runner = new LightRunner(client, options)
  await runner.start()
  return runner
}

class LightRunner implements RunningLight {
  readonly light = new Light()
  done: Promise<void> = Promise.resolve()
  private readonly client: DeviceLink
  private readonly options: RunLightOptions
  private readonly clock: Clock
  private readonly topics: ReturnType<typeof deviceTopics>
  private cancelTimer: (() => void) | undefined = undefined
  private stopReconnectWatch: (() => void) | undefined = undefined
  private stopped = false

  constructor(client: DeviceLink, options: RunLightOptions) {
    this.client = client
    this.options = options
    this.clock = options.clock ?? systemClock
    this.topics = deviceTopics(options.prefix)
  }

  async start(): Promise<void> {
    const messages = await this.client.subscribe(this.topics.control, { qos: 1 })
    this.done = this.obey(messages)
    // `done` may have no reader: its rejection is then nobody's.
    this.done.catch(() => undefined)
    this.show()
    await this.announce()
    // The broker said `offline` when the last connection broke.
    this.stopReconnectWatch = this.client.onConnect(() => void this.announce())
  }

  async stop(): Promise<void> {
    if (this.stopped) return
    this.stopped = true
    this.cancelTimer?.()
    this.stopReconnectWatch?.()
    await this.say(this.topics.status, 'offline', true)
  }

  private async obey(messages: AsyncIterable<{ readonly payload: Uint8Array }>): Promise<void> {
    try {
      for await (const message of messages) {
        if (this.stopped) return
        await this.handle(message.payload)
      }
    } finally {
      this.cancelTimer?.()
      this.stopReconnectWatch?.()
    }
  }

  private async handle(payload: Uint8Array): Promise<void> {
    try {
      this.light.apply(parseLightCommand(payload), this.clock.now())
    } catch (error) {
      if (!(error instanceof LightCommandError)) throw error
      this.options.onFault?.(error)
      await this.say(this.topics.error, refusal(error), false)
      return
    }
    this.show()
    await this.sayState()
  }

  private async announce(): Promise<void> {
    await Promise.all([this.say(this.topics.status, 'online', true), this.sayState()])
  }

  private sayState(): Promise<void> {
    return this.say(this.topics.state, JSON.stringify(this.light.state), true)
  }

  private async say(topic: string, payload: string, retain: boolean): Promise<void> {
    try {
      await this.client.publish(topic, payload, { qos: 1, retain })
    } catch (error) {
      this.options.onFault?.(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Shows the light as it is now and comes back when it changes by itself. */
  private show(): void {
    this.cancelTimer?.()
    this.cancelTimer = undefined
    const now = this.clock.now()
    if (this.light.settle(now)) void this.sayState()
    this.options.onShow?.(this.light.colourAt(now), this.light.state)
    const next = this.options.onShow === undefined ? this.light.settlesAt : this.light.nextChangeAt(now)
    if (next === undefined || this.stopped) return
    this.cancelTimer = this.clock.after(Math.max(1, next - now), () => this.show())
  }
}

function refusal(error: LightCommandError): string {
  return JSON.stringify({
    error: error.message,
    field: error.field,
    given: error.given,
    expected: error.expected,
  })
}
