import { type AttemptResult, attemptConnection } from '../client/attempt.ts'
import { takeUpdate } from '../client/config-update.ts'
import { DeviceClient } from '../client/device-client.ts'
import { clientOptionsOf } from '../client/setup-mqtt.ts'
import { systemClock } from '../clock.ts'
import { type DeviceConfiguration, readConfiguration } from '../configuration/configuration.ts'
import type { ConfigurationFile } from '../configuration/store.ts'
import { withKeptMessages, withReconnectState } from '../configuration/write.ts'
import { keep, messagesIn } from './kept.ts'
import type { CycleClient, CycleOptions, CycleReport, OutgoingMessage, Wake } from './types.ts'

/** Seconds to sleep when the configuration cannot say. */
const DEFAULT_SLEEP = 600

/** One wake of a device that sleeps: measures, connects as the reconnect policy says, publishes what was kept from
 *  failed wakes and what was measured, reads the configuration, saves what has to survive, sleeps. A wake that is not
 *  to try does no network input or output. Whatever goes wrong is in the report: the device always gets to sleep.
 *  @returns what it did and cost, when `sleep` has settled */
export async function runCycle<Sample>(options: CycleOptions<Sample>): Promise<CycleReport> {
  const cycle = new Cycle(options)
  await cycle.run()
  const report = cycle.report()
  await options.sleep(report.sleepSeconds)
  return report
}

/** What became of publishing. */
interface Sent {
  readonly sent: number
  /** Not acknowledged: kept for the next wake. */
  readonly unsent: readonly OutgoingMessage[]
  /** Refused for good. */
  readonly refused: number
}

class Cycle<Sample> {
  private readonly options: CycleOptions<Sample>
  private readonly clock
  private readonly begun: number
  private readonly wake: Wake
  private readonly faults: string[] = []
  private outcome: CycleReport['outcome'] = 'failed'
  private configurationNews: CycleReport['configuration'] = 'none'
  private attempts = 0
  private measured = 0
  private sent = 0
  private kept = 0
  private dropped = 0
  private radioOnMs = 0
  private bytesSent = 0
  private bytesReceived = 0
  private sleepSeconds: number

  constructor(options: CycleOptions<Sample>) {
    this.options = options
    this.clock = options.clock ?? systemClock
    this.begun = this.clock.now()
    this.wake = options.wake()
    this.sleepSeconds = options.sleepSeconds ?? DEFAULT_SLEEP
  }

  async run(): Promise<void> {
    try {
      const file = await this.options.config.load()
      const configuration = readConfiguration(file)
      this.plan(configuration)
      const fresh = await this.measure(file)
      if (configuration.enabled) await this.exchange(file, configuration, fresh)
      else this.outcome = 'disabled'
    } catch (error) {
      this.fault('this wake failed', error)
    }
  }

  report(): CycleReport {
    return {
      outcome: this.outcome,
      attempts: this.attempts,
      measured: this.measured,
      sent: this.sent,
      kept: this.kept,
      dropped: this.dropped,
      configuration: this.configurationNews,
      awakeMs: this.clock.now() - this.begun,
      radioOnMs: this.radioOnMs,
      bytesSent: this.bytesSent,
      bytesReceived: this.bytesReceived,
      sleepSeconds: this.sleepSeconds,
      faults: this.faults,
    }
  }

  private plan(configuration: DeviceConfiguration): void {
    this.sleepSeconds = this.options.sleepSeconds ?? configuration.updateInterval
  }

  /** A sensor that fails keeps nothing else from going out. */
  private async measure(file: ConfigurationFile): Promise<readonly OutgoingMessage[]> {
    try {
      const messages = this.options.publish(await this.options.read(file), file)
      this.measured = messages.length
      return messages
    } catch (error) {
      this.fault('nothing was measured', error)
      return []
    }
  }

  private async exchange(
    file: ConfigurationFile,
    configuration: DeviceConfiguration,
    fresh: readonly OutgoingMessage[],
  ): Promise<void> {
    const before = await this.loadKept(file)
    const queue = keep([...before, ...fresh], { ...this.options.keep, limit: Number.MAX_SAFE_INTEGER })
    const client = this.client(file, configuration)
    const radioOn = this.clock.now()
    const attempt = await this.connect(client, configuration)
    let remaining = queue.kept
    let present = file
    if (attempt.connected) {
      const [result, updated] = await this.talk(client, queue.kept, file, configuration)
      remaining = result.unsent
      present = updated
      this.sent = result.sent
      this.dropped += result.refused
    }
    if (attempt.attempts > 0) this.count(client, radioOn)
    this.outcome = outcomeOf(attempt, remaining.length)
    const { kept, dropped } = keep(remaining, this.options.keep ?? {})
    this.kept = kept.length
    this.dropped += queue.dropped + dropped
    await this.persist(present, attempt, before, kept)
  }

  private client(file: ConfigurationFile, configuration: DeviceConfiguration): CycleClient {
    return this.options.client?.(file) ?? new DeviceClient(clientOptionsOf(configuration))
  }

  private async connect(client: CycleClient, configuration: DeviceConfiguration): Promise<AttemptResult> {
    const { reconnect, reconnectState } = configuration
    // As the wake's clock goes on.
    const now = (): number => this.wake.now + (this.clock.now() - this.begun) / 1000
    const wake = { now, slept: this.wake.slept ?? this.sleepSeconds, nextWakeIn: this.sleepSeconds }
    const attempt = await attemptConnection(client, reconnect, reconnectState, wake, this.options.random)
    this.attempts = attempt.attempts
    if (!attempt.connected && attempt.attempts > 0) this.fault('no connection', client.failure)
    return attempt
  }

  /** Publishes and reads the configuration, both at once: the radio is on for the longer of the two. */
  private async talk(
    client: CycleClient,
    messages: readonly OutgoingMessage[],
    file: ConfigurationFile,
    configuration: DeviceConfiguration,
  ): Promise<[Sent, ConfigurationFile]> {
    const { limitMs = 30_000 } = this.options
    let ending: Promise<void> | undefined
    // An acknowledgement that never comes must not keep the radio on.
    const stop = this.clock.after(limitMs, () => {
      this.faults.push(`no answer for ${limitMs} ms`)
      ending = client.disconnect({ force: true })
    })
    const result = await Promise.all([
      this.publishAll(client, messages),
      this.readUpdate(client, file, configuration),
    ])
    stop()
    await (ending ?? client.disconnect())
    return result
  }

  private async publishAll(client: CycleClient, messages: readonly OutgoingMessage[]): Promise<Sent> {
    const results = await Promise.allSettled(
      messages.map(({ topic, payload, qos = 1, retain = false }) =>
        client.publish(topic, payload, { qos, retain }),
      ),
    )
    const unsent: OutgoingMessage[] = []
    let refused = 0
    for (const [index, result] of results.entries()) {
      const message = messages[index]
      if (result.status === 'fulfilled' || message === undefined) continue
      if (isFinal(result.reason)) {
        refused++
        this.fault(`${message.topic} was given up`, result.reason)
      } else unsent.push(message)
    }
    if (unsent.length > 0) this.faults.push(`${unsent.length} messages were not acknowledged`)
    return { sent: messages.length - unsent.length - refused, unsent, refused }
  }

  private async readUpdate(
    client: CycleClient,
    file: ConfigurationFile,
    configuration: DeviceConfiguration,
  ): Promise<ConfigurationFile> {
    const { loadConfigFromMqtt, topicConfig, configWaitTime } = configuration
    if (!loadConfigFromMqtt) return file
    try {
      const message = await client.readTopic(topicConfig, configWaitTime)
      if (message === undefined) return file
      const { config: store, checkConfig: check } = this.options
      const result = await takeUpdate(client, configuration, file, message, { store, check })
      this.configurationNews = result.outcome
      if (result.outcome === 'refused') {
        this.faults.push(`configuration refused: ${result.faults.map((fault) => fault.message).join('; ')}`)
      }
      if (result.outcome !== 'applied') return file
      this.plan(readConfiguration(result.file))
      return result.file
    } catch (error) {
      this.fault('no configuration was read', error)
      return file
    }
  }

  private count(client: CycleClient, radioOn: number): void {
    this.radioOnMs = this.clock.now() - radioOn
    this.bytesSent = client.traffic.bytesSent
    this.bytesReceived = client.traffic.bytesReceived
  }

  private async loadKept(file: ConfigurationFile): Promise<readonly OutgoingMessage[]> {
    const store = this.options.keep?.store
    try {
      return messagesIn(store === undefined ? (file.kept_messages ?? file.keptMessages) : await store.load())
    } catch (error) {
      this.fault('what was kept cannot be read', error)
      return []
    }
  }

  /** Saves what has changed; a wake that changed nothing does not wear out the flash. */
  private async persist(
    file: ConfigurationFile,
    attempt: AttemptResult,
    before: readonly OutgoingMessage[],
    kept: readonly OutgoingMessage[],
  ): Promise<void> {
    const store = this.options.keep?.store
    const news = kept.length !== before.length || kept.some((message, index) => message !== before[index])
    try {
      if (news && store !== undefined) await store.save(kept)
      let changed = attempt.changed ? withReconnectState(file, attempt.state) : file
      if (news && store === undefined) changed = withKeptMessages(changed, kept)
      if (changed !== file) await this.options.config.save(changed)
    } catch (error) {
      this.fault('the state of this wake was not saved', error)
    }
  }

  private fault(what: string, error: unknown): void {
    const said = error instanceof Error ? error.message : String(error)
    // Some errors begin with what is wrong themselves.
    this.faults.push(said.startsWith(what) ? said : `${what}: ${said}`)
  }
}

function outcomeOf(attempt: AttemptResult, remaining: number): CycleReport['outcome'] {
  if (attempt.connected) return remaining === 0 ? 'sent' : 'partly'
  return attempt.attempts === 0 ? 'waited' : 'kept'
}

/** Says whether trying again later would end in the same way. */
function isFinal(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return true
  return (error as { code?: unknown } | undefined)?.code === 'REQUEST_REFUSED'
}
