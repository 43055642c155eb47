import { type Clock, systemClock } from '../clock.ts'
import type { DeviceLink, DeviceMessage } from '../link.ts'
import type { Rgbw } from './colour.ts'
import { parseLightCommand, updateOf } from './commands.ts'
import { LightCommandError } from './fields.ts'
import { homeAssistantState, parseHomeAssistantCommand } from './home-assistant.ts'
import { Light, type LightState } from './light.ts'
import { type Driven, LightOutput, type OutputOptions } from './output.ts'
import { lightTopics } from './topics.ts'
import { ownTraceClock, type TraceClock, traceIdOf } from './trace.ts'
import type { LightUpdate } from './update.ts'

export interface RunLightOptions {
  /** What the device's topics begin with; default `sensors/esp32-s3`. */
  readonly prefix?: string
  readonly clock?: Clock
  /** Understands Home Assistant's JSON schema too, on `led/ha/set`, and says its state so on `led/ha/state`. */
  readonly homeAssistant?: boolean
  /** Gamma and the power limit of what goes to the wires. */
  readonly output?: OutputOptions
  /** Chooses the candle among all candles. */
  readonly seed?: number
  /** Where the times of a command that someone follows (`pipit trace`) are taken from. */
  readonly traceClock?: TraceClock
  /** Shows the light: called at once, at each command that was obeyed and, while it moves, at each picture of
   *  it. Without it an effect costs no time at all. */
  readonly onShow?: (colour: Rgbw, state: LightState, driven: Driven) => void
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
 *  `{prefix}/status`. The connection should have been made with `statusWill(prefix)` as its will. The times of a
 *  command with the User Property `pipit-trace` are told on `{prefix}/led/trace`.
 *  @returns once it is subscribed and has said its state
 *  @throws what `client.subscribe` throws when it is refused; RangeError for an option that is wrong */
export async function runLight(client: DeviceLink, options: RunLightOptions = {}): Promise<RunningLight> {
  const runner = new LightRunner(client, options)
  await runner.start()
  return runner
}

type Parse = (payload: Uint8Array) => LightUpdate

const parseOwn: Parse = (payload) => updateOf(parseLightCommand(payload))

class LightRunner implements RunningLight {
  readonly light: Light
  done: Promise<void> = Promise.resolve()
  private readonly client: DeviceLink
  private readonly options: RunLightOptions
  private readonly clock: Clock
  private readonly traceClock: TraceClock
  private readonly output: LightOutput
  private readonly topics: ReturnType<typeof lightTopics>
  private cancelTimer: (() => void) | undefined = undefined
  private stopReconnectWatch: (() => void) | undefined = undefined
  private stopped = false

  constructor(client: DeviceLink, options: RunLightOptions) {
    this.client = client
    this.options = options
    this.clock = options.clock ?? systemClock
    this.traceClock = options.traceClock ?? ownTraceClock
    this.output = new LightOutput(options.output)
    this.topics = lightTopics(options.prefix)
    this.light = new Light(options.seed)
  }

  async start(): Promise<void> {
    const { control, homeAssistantSet } = this.topics
    const tasks = [this.obey(await this.client.subscribe(control, { qos: 1 }), parseOwn)]
    if (this.options.homeAssistant === true) {
      const messages = await this.client.subscribe(homeAssistantSet, { qos: 1 })
      tasks.push(this.obey(messages, parseHomeAssistantCommand))
    }
    this.done = Promise.all(tasks).then(() => undefined)
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

  private async obey(messages: AsyncIterable<DeviceMessage>, parse: Parse): Promise<void> {
    try {
      for await (const message of messages) {
        if (this.stopped) return
        await this.handle(message, parse)
      }
    } finally {
      this.cancelTimer?.()
      this.stopReconnectWatch?.()
    }
  }

  private async handle(message: DeviceMessage, parse: Parse): Promise<void> {
    const traceId = traceIdOf(message)
    const received = traceId === undefined ? 0 : this.traceClock.now()
    try {
      this.light.update(parse(message.payload), this.clock.now())
    } catch (error) {
      if (!(error instanceof LightCommandError)) throw error
      this.options.onFault?.(error)
      if (traceId !== undefined) await this.sayTimes(traceId, received, error.message)
      await this.say(this.topics.error, refusal(error), false)
      return
    }
    this.show()
    if (traceId !== undefined) await this.sayTimes(traceId, received)
    await this.sayState()
  }

  /** Tells when a command came to the callback, and when the light had changed. */
  private sayTimes(id: string, received: number, refused?: string): Promise<void> {
    const { traceClock } = this
    const times = { id, clock: traceClock.name, received, updated: traceClock.now(), refused }
    return this.say(this.topics.trace, JSON.stringify(times), false, 0)
  }

  private async announce(): Promise<void> {
    await Promise.all([this.say(this.topics.status, 'online', true), this.sayState()])
  }

  private async sayState(): Promise<void> {
    const { state } = this.light
    const said = [this.say(this.topics.state, JSON.stringify(state), true)]
    if (this.options.homeAssistant === true) {
      said.push(this.say(this.topics.homeAssistantState, JSON.stringify(homeAssistantState(state)), true))
    }
    await Promise.all(said)
  }

  private async say(topic: string, payload: string, retain: boolean, qos: 0 | 1 = 1): Promise<void> {
    try {
      await this.client.publish(topic, payload, { qos, retain })
    } catch (error) {
      this.options.onFault?.(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Shows the light as it is now and comes back when it changes by itself. */
  private show(): void {
    this.cancelTimer?.()
    this.cancelTimer = undefined
    const { light, options, clock } = this
    const now = clock.now()
    if (light.settle(now)) void this.sayState()
    if (options.onShow !== undefined) {
      const colour = light.colourAt(now)
      options.onShow(colour, light.state, this.output.drive(colour))
    }
    const next = options.onShow === undefined ? light.settlesAt : light.nextChangeAt(now)
    if (next === undefined || this.stopped) return
    this.cancelTimer = clock.after(Math.max(1, next - now), () => this.show())
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
