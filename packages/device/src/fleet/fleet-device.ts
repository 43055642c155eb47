import { DeviceClient } from '../client/device-client.ts'
import type { Clock, Random } from '../clock.ts'
import { type ConfigurationStore, memoryConfiguration } from '../configuration/store.ts'
import { estimateCharge } from '../cycle/charge.ts'
import { runCycle } from '../cycle/run-cycle.ts'
import type { CycleReport, KeptMessages, OutgoingMessage } from '../cycle/types.ts'
import type { EventLog } from './event-log.ts'
import type { Ledger } from './ledger.ts'
import { deviceId, firstConfiguration, readingTopic, sequenceOf } from './naming.ts'
import { ObservedClient } from './observed-client.ts'
import { seeded } from './random.ts'
import type { BrownOut, Scenario } from './scenario.ts'
import type { Weather } from './weather.ts'
import type { DeviceRadio } from './world.ts'

/** What the devices of a fleet share. */
export interface FleetParts {
  readonly scenario: Scenario
  /** The scenario's time. */
  readonly clock: Clock
  /** The time in which connections live: the same, unless the scenario's is made to run faster than the world's. */
  readonly radioClock: Clock
  /** The clock's reading when the scenario began. */
  readonly begun: number
  readonly ledger: Ledger
  readonly log: EventLog
  readonly weather: Weather
}

/** What one device has done, in milliseconds and bytes. */
export interface DeviceFigures {
  wakes: number
  attempts: number
  failedAttempts: number
  awakeMs: number
  radioOnMs: number
  bytesSent: number
  bytesReceived: number
  applied: number
  refused: number
  brownOuts: number
  /** Milliampere hours, and the seconds in which they went. */
  mah: number
  seconds: number
}

interface Sample {
  readonly payload: string
}

/** One device: the kit's own client, cycle, reconnect policy and configuration update, on flash that survives power
 *  cuts, with a clock that drifts. Only the weather and what is below its `Wire` are not a device's own. */
export class FleetDevice {
  readonly id: string
  readonly figures: DeviceFigures = {
    wakes: 0,
    attempts: 0,
    failedAttempts: 0,
    awakeMs: 0,
    radioOnMs: 0,
    bytesSent: 0,
    bytesReceived: 0,
    applied: 0,
    refused: 0,
    brownOuts: 0,
    mah: 0,
    seconds: 0,
  }
  isAwake = false
  /** It is not to wake any more. */
  private isOver = false
  private readonly index: number
  private readonly parts: FleetParts
  private readonly radio: DeviceRadio
  private readonly random: Random
  private readonly flash: ConfigurationStore
  private kept = '[]'
  private keptNumbers: ReadonlySet<number> = new Set()
  /** How fast its clock runs beyond the right speed: 0.00002 are 20 ppm. */
  private readonly drift: number
  private readonly neverSet: boolean
  /** When its clock was set, by the rig's clock; undefined: it counts from 1970 since power came. */
  private setAt: number | undefined = undefined
  private poweredAt = 0
  /** Counts how often power came: what began before a cut never goes on. */
  private life = 0
  private slept: number | undefined = undefined
  private cancelWake: () => void = () => {}
  private whenAsleep: () => void = () => {}

  constructor(index: number, parts: FleetParts, radio: DeviceRadio) {
    const { scenario } = parts
    this.index = index
    this.parts = parts
    this.radio = radio
    this.id = deviceId(index)
    this.random = seeded(scenario.seed, 'device', index)
    this.drift = (2 * this.random() - 1) * scenario.clocks.drift * 1e-6
    this.neverSet = this.random() < scenario.clocks.unset
    this.flash = memoryConfiguration(firstConfiguration(scenario, this.id))
  }

  get delays(): number {
    return this.radio.delays
  }

  /** Power comes; the first wake is somewhere in the first interval. */
  start(): void {
    this.powerOn(this.parts.scenario.device.interval * this.random())
  }

  /** Settles when it sleeps and does not wake any more. */
  stop(): Promise<void> {
    this.isOver = true
    this.cancelWake()
    if (!this.isAwake) return Promise.resolve()
    return new Promise((resolve) => {
      this.whenAsleep = resolve
    })
  }

  /** Power goes and comes again: what is in its memory is lost, what is on its flash is not, and its clock begins at
   *  1970. */
  brownOut({ for: off }: BrownOut): void {
    this.life++
    this.figures.brownOuts++
    this.radio.cut()
    this.cancelWake()
    this.parts.ledger.takeStock(this.index, this.keptNumbers, 'power')
    this.log('loses power')
    this.fellAsleep()
    this.powerOn(off)
  }

  private powerOn(wakesIn: number): void {
    this.poweredAt = this.parts.clock.now() + wakesIn
    this.setAt = undefined
    this.slept = undefined
    this.wakeIn(wakesIn)
  }

  private wakeIn(ms: number): void {
    if (this.isOver) return
    this.cancelWake = this.parts.clock.after(ms, () => void this.wakeUp())
  }

  private async wakeUp(): Promise<void> {
    const { life, figures } = this
    this.isAwake = true
    figures.wakes++
    let sleepSeconds = 0
    const report = await runCycle<Sample>({
      wake: () => ({ now: this.time(), ...(this.slept === undefined ? {} : { slept: this.slept }) }),
      read: () => (this.life === life ? this.measure() : never()),
      publish: ({ payload }) => [{ topic: readingTopic(this.parts.scenario, this.id), payload, qos: 1 }],
      config: {
        load: () => this.alive(life, () => this.flash.load()),
        save: (file) => this.alive(life, () => this.flash.save(file)),
      },
      keep: { ...this.keeping(), store: this.keptMessages(life) },
      client: () => this.client(life),
      clock: this.parts.radioClock,
      random: this.random,
      sleep: (seconds) => {
        sleepSeconds = seconds
      },
    })
    if (this.life === life) this.sleeps(report, sleepSeconds)
  }

  private sleeps(report: CycleReport, sleepSeconds: number): void {
    const { figures } = this
    const { outcome, attempts } = report
    figures.attempts += attempts
    const isConnected = outcome === 'sent' || outcome === 'partly'
    figures.failedAttempts += attempts - (isConnected ? 1 : 0)
    figures.awakeMs += report.awakeMs
    figures.radioOnMs += report.radioOnMs
    figures.bytesSent += report.bytesSent
    figures.bytesReceived += report.bytesReceived
    const charge = estimateCharge([report])
    figures.mah += charge.totalMah
    figures.seconds += charge.seconds
    if (report.configuration === 'applied') figures.applied++
    if (report.configuration === 'refused') figures.refused++
    if (isConnected && !this.neverSet) this.setAt = this.parts.clock.now()
    this.parts.ledger.takeStock(this.index, this.keptNumbers, 'outboxFull')
    this.log(
      `${outcome} ${attempts} radio ${report.radioOnMs.toFixed(3)} kept ${report.kept} sleeps ${sleepSeconds}`,
    )
    this.slept = sleepSeconds
    this.fellAsleep()
    const { jitter } = this.parts.scenario.device
    const seconds = (sleepSeconds / (1 + this.drift)) * (1 + jitter * (2 * this.random() - 1))
    this.wakeIn(seconds * 1000)
  }

  private fellAsleep(): void {
    this.isAwake = false
    this.whenAsleep()
  }

  private measure(): Sample {
    const { clock, scenario, weather, ledger, begun } = this.parts
    const now = clock.now()
    const reading = weather.read(this.index, scenario.start + (now - begun))
    const sequence = ledger.measure(this.index, now)
    const time = Math.round(this.time() * 1000) / 1000
    return { payload: JSON.stringify({ sequence, time, ...reading }) }
  }

  private client(life: number): ObservedClient {
    const { radioClock: clock, ledger } = this.parts
    const client = new DeviceClient({ clientId: this.id, server: 'fleet', wire: this.radio.open, clock })
    return new ObservedClient(client, {
      published: (sequence) => {
        if (this.life !== life) return
        ledger.published(this.index, sequence)
        this.log(`publishes ${sequence}`)
      },
      acknowledged: (sequence) => {
        if (this.life !== life) return
        ledger.acknowledge(this.index, sequence)
        this.log(`acknowledged ${sequence}`)
      },
    })
  }

  private keeping() {
    const { outbox, keep } = this.parts.scenario.device
    return {
      limit: outbox,
      policy: keep === 'oldest-first' ? ('oldestFirst' as const) : ('newestPerTopic' as const),
    }
  }

  private keptMessages(life: number): KeptMessages {
    return {
      load: () => this.alive(life, async () => JSON.parse(this.kept) as OutgoingMessage[]),
      save: (messages) =>
        this.alive(life, async () => {
          this.kept = JSON.stringify(messages)
          this.keptNumbers = new Set(messages.flatMap(({ payload }) => sequenceOf(payload) ?? []))
        }),
    }
  }

  /** Work of one life; after a power cut it neither begins nor comes back. */
  private async alive<T>(life: number, work: () => Promise<T>): Promise<T> {
    if (this.life !== life) return never()
    const done = await work()
    return this.life === life ? done : never()
  }

  /** Seconds since 1970, as the device has it. */
  private time(): number {
    const { clock, scenario, begun } = this.parts
    const now = clock.now()
    if (this.setAt === undefined) return ((now - this.poweredAt) * (1 + this.drift)) / 1000
    return (scenario.start + (now - begun) + (now - this.setAt) * this.drift) / 1000
  }

  private log(what: string): void {
    const { log, clock, begun } = this.parts
    log.add(clock.now() - begun, this.id, what)
  }
}

/** What a device does whose power has gone. */
function never(): Promise<never> {
  return new Promise(() => {})
}
