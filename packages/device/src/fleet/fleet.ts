import type { Clock } from '../clock.ts'
import { EventLog } from './event-log.ts'
import { FleetDevice, type FleetParts } from './fleet-device.ts'
import { Ledger } from './ledger.ts'
import { configurationTopic, deviceId, sequenceOf } from './naming.ts'
import { seeded } from './random.ts'
import type { BrownOut, Outage, RollOut, Scenario } from './scenario.ts'
import { type FleetSummary, summaryOf } from './summary.ts'
import { Weather } from './weather.ts'
import type { Collected, FleetWorld } from './world.ts'

/** How long the end waits for one more reading that the broker has and the collector does not. */
const PATIENCE_MS = 60_000
const LOOK_MS = 500

export interface FleetOptions {
  readonly scenario: Scenario
  /** The scenario's time. */
  readonly clock: Clock
  /** The time of connections; default: `clock`. */
  readonly radioClock?: Clock
  /** Told of each event, one line. */
  readonly onEvent?: (line: string) => void
}

export interface FleetProgress {
  /** Milliseconds of the scenario, and how many it has. */
  readonly at: number
  readonly of: number
  readonly awake: number
  readonly measured: number
  readonly received: number
  readonly outage: Outage | undefined
}

/** Many devices, and what happens to them. */
export class Fleet {
  /** Of what the collector has to subscribe to. */
  readonly filter: string
  readonly scenario: Scenario
  private readonly parts: FleetParts
  private readonly numbers = new Map<string, number>()
  private devices: readonly FleetDevice[] = []
  private outage: Outage | undefined = undefined
  private outagesHeld = 0
  /** The outage that is, or was last: in real time a broker may take longer to be back than the scenario says. */
  private lastOutage: Promise<void> = Promise.resolve()
  private readonly faults: string[] = []
  /** Ends the run before its time: devices that are awake go to sleep, and the summary is of what was. */
  end: () => void = () => {}
  private readonly ended = new Promise<void>((resolve) => {
    this.end = resolve
  })
  private endedAt = 0

  constructor({ scenario, clock, radioClock = clock, onEvent }: FleetOptions) {
    this.scenario = scenario
    this.filter = `${scenario.device.topic}/+/reading`
    this.parts = {
      scenario,
      clock,
      radioClock,
      begun: clock.now(),
      ledger: new Ledger(scenario.count),
      log: new EventLog(onEvent),
      weather: new Weather(scenario.weather, scenario.seed),
    }
    for (let i = 0; i < scenario.count; i++) this.numbers.set(deviceId(i), i)
  }

  /** What the collector does with each message. */
  readonly collected: Collected = (topic, payload) => {
    const id = topic.slice(this.scenario.device.topic.length + 1, -'/reading'.length)
    const sequence = sequenceOf(decoder.decode(payload)) ?? 0
    const { ledger, clock } = this.parts
    const isFirst = ledger.receive(this.numbers.get(id) ?? -1, sequence, clock.now())
    this.log('collector', `${isFirst ? 'receives' : 'receives again'} ${id} ${sequence}`)
  }

  /** Runs the whole scenario and settles with what came of it.
   *  @param world whose collector calls `collected` */
  async run(world: FleetWorld): Promise<FleetSummary> {
    const { scenario, parts } = this
    this.devices = Array.from({ length: scenario.count }, (_, i) => {
      return new FleetDevice(i, parts, world.radio(i, deviceId(i)))
    })
    for (const device of this.devices) device.start()
    for (const outage of scenario.outages) this.at(outage.at, () => this.plan(world, outage))
    for (const brownOut of scenario.brownOuts) this.at(brownOut.at, () => this.brownOut(brownOut))
    for (const rollOut of scenario.rollOut) this.at(rollOut.at, () => void this.rollOut(world, rollOut))
    await Promise.race([this.pause(scenario.duration - (parts.clock.now() - parts.begun)), this.ended])
    this.endedAt = parts.clock.now() - parts.begun
    // An outage that would go on ends too: what the broker has is still to come to the collector.
    this.end()
    await Promise.all(this.devices.map((device) => device.stop()))
    await this.drained()
    return this.summary()
  }

  /** Notes what went wrong with the rig itself. */
  fault(message: string): void {
    this.faults.push(message)
  }

  progress(): FleetProgress {
    const { clock, begun, ledger } = this.parts
    return {
      at: Math.min(clock.now() - begun, this.scenario.duration),
      of: this.scenario.duration,
      awake: this.devices.filter(({ isAwake }) => isAwake).length,
      measured: ledger.measured,
      received: ledger.received,
      outage: this.outage,
    }
  }

  private summary(): FleetSummary {
    const { devices, faults, outagesHeld } = this
    const { ledger, log } = this.parts
    return summaryOf(this.scenario, devices, ledger.account(), {
      durationMs: this.endedAt,
      outagesHeld,
      faults,
      events: log.count,
      hash: log.hash,
    })
  }

  private plan(world: FleetWorld, outage: Outage): void {
    this.lastOutage = this.lastOutage.then(() => this.hold(world, outage))
  }

  private async hold(world: FleetWorld, outage: Outage): Promise<void> {
    this.outage = outage
    this.outagesHeld++
    this.log('broker', outage.kind === 'restart' ? 'is killed' : 'cannot be reached')
    await this.noted(world.fail(outage))
    await Promise.race([this.pause(outage.for), this.ended])
    await this.noted(world.recover(outage))
    this.log('broker', 'is back')
    this.outage = undefined
  }

  /** The devices that lose power are drawn anew each time. */
  private brownOut(brownOut: BrownOut): void {
    const draw = seeded(this.scenario.seed, 'brown-out', brownOut.at)
    for (const device of this.devices) if (draw() < brownOut.share) device.brownOut(brownOut)
  }

  /** A larger share holds the devices of a smaller one: first a few, then all. */
  private async rollOut(world: FleetWorld, { share, set, version }: RollOut): Promise<void> {
    const draw = seeded(this.scenario.seed, 'roll-out')
    const payload = JSON.stringify({ ...set, version })
    const chosen = this.devices.filter(() => draw() < share)
    this.log('keeper', `rolls out version ${version} to ${chosen.length}`)
    await this.noted(
      Promise.all(chosen.map(({ id }) => world.publish(configurationTopic(this.scenario, id), payload))),
    )
  }

  /** Waits until the collector has what the broker has acknowledged, as long as more keeps coming. */
  private async drained(): Promise<void> {
    await this.lastOutage
    const { ledger } = this.parts
    let owed = ledger.owed
    for (let waited = 0; owed > 0 && waited < PATIENCE_MS; waited += LOOK_MS) {
      await this.pause(LOOK_MS, this.parts.radioClock)
      const now = ledger.owed
      if (now < owed) waited = 0
      owed = now
    }
  }

  private at(ms: number, work: () => void): void {
    this.parts.clock.after(ms, work)
  }

  private pause(ms: number, clock = this.parts.clock): Promise<void> {
    return new Promise((resolve) => clock.after(ms, resolve))
  }

  /** What the world could not do is said in the summary. */
  private async noted(work: Promise<unknown>): Promise<void> {
    await work.catch((error: unknown) => {
      this.fault(error instanceof Error ? error.message : String(error))
    })
  }

  private log(who: string, what: string): void {
    const { log, clock, begun } = this.parts
    log.add(clock.now() - begun, who, what)
  }
}

const decoder = new TextDecoder()
