// The load generator, a process of its own. The first line on stdin is the load as JSON: passwords stay out of the list
// of processes. It connects publishers and receivers to a broker, says that it is ready, begins at the second line, keeps
// what is allowed in flight, checks every message, and writes what it saw as lines of JSON.
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { Histogram } from './histogram.ts'
import { Link } from './link.ts'
import { Publisher } from './publisher.ts'
import { Receiver, Tally } from './receiver.ts'
import type { FromGenerator, Load, LoadResult } from './shape.ts'

/** Messages of one publisher, and what each receiver has of them. */
interface Flow {
  readonly publisher: Publisher
  readonly tallies: readonly Tally[]
}

/** How long the end of a run may stand still before what is missing counts as lost. */
const PATIENCE_MS = 5000

const PROGRESS_MS = 250

class Generator {
  private readonly load: Load
  private readonly links: Link[] = []
  private readonly flows: Flow[] = []
  private readonly receivers: Receiver[] = []
  private readonly sharing: boolean
  private limit = 0

  constructor(load: Load) {
    this.load = load
    this.sharing = load.topology === 'shared'
  }

  /** Connects and subscribes. */
  async open(): Promise<void> {
    const { topology, publishers, subscribers, prefix, version } = { ...this.load, ...this.load.target }
    const own = topology === 'pairs' || topology === 'fan-out'
    const each = topology === 'fan-out' ? subscribers : 1
    const tallies: Tally[][] = Array.from({ length: publishers }, () => [])
    if (own) {
      for (let id = 0; id < publishers; id++) {
        for (let s = 0; s < each; s++) await this.addReceiver(`${prefix}/${id}`, `${id}-${s}`, [id], tallies)
      }
    } else {
      const all = tallies.map((_, id) => id)
      const filter = this.sharing ? `$share/bench/${prefix}/#` : `${prefix}/+`
      const count = this.sharing ? subscribers : 1
      for (let s = 0; s < count; s++) await this.addReceiver(filter, `${s}`, all, tallies)
    }
    const { qos, size, inFlight, window, properties, alias } = this.load
    for (let id = 0; id < publishers; id++) {
      const link = await this.connect(`publisher-${id}`)
      const flow = { id, topic: `${prefix}/${id}`, version, qos, size, inFlight, window, properties, alias }
      const publisher = new Publisher(link, flow)
      this.flows.push({ publisher, tallies: tallies[id]! })
      link.events.chunkEnd = () => this.pump(id)
    }
  }

  async measure(): Promise<LoadResult> {
    const { messages, warmUpSeconds, seconds, rate } = this.load
    const ticking = rate === undefined ? undefined : this.tick(rate)
    if (rate === undefined) this.begin(messages ?? Number.MAX_SAFE_INTEGER)
    if (messages === undefined) await wait(warmUpSeconds * 1000)
    const latencies = new Histogram()
    const acknowledgements = new Histogram()
    for (const receiver of this.receivers) receiver.latencies = latencies
    for (const { publisher } of this.flows) publisher.latencies = acknowledgements
    tell({ kind: 'begun' })
    const before = this.sample()
    if (messages === undefined) await wait(seconds * 1000)
    else await this.drained()
    const after = this.sample()
    tell({ kind: 'over' })
    for (const receiver of this.receivers) receiver.latencies = undefined
    for (const { publisher } of this.flows) publisher.latencies = undefined
    clearInterval(ticking)
    this.limit = 0
    await this.drained()
    const from = messages === undefined ? before : { ...before, delivered: 0, published: 0 }
    return {
      delivered: after.delivered - from.delivered,
      published: after.published - from.published,
      seconds: after.seconds - before.seconds,
      generatorCpuSeconds: after.generator - before.generator,
      latencies: latencies.toJSON(),
      acknowledgements: acknowledgements.toJSON(),
      ...this.faults(),
    }
  }

  /** Messages that have been received so far. */
  get delivered(): number {
    return this.receivers.reduce((sum, { received }) => sum + received, 0)
  }

  close(): void {
    for (const link of this.links) link.close()
  }

  private async connect(name: string): Promise<Link> {
    const { target, prefix, persistent } = this.load
    const link = await Link.open(target, `${prefix}/${name}`.replaceAll('/', '-'), persistent !== true)
    link.events.ended = (why) => fail(why)
    this.links.push(link)
    return link
  }

  private async addReceiver(
    filter: string,
    name: string,
    ids: readonly number[],
    all: Tally[][],
  ): Promise<void> {
    const { qos, size, target } = this.load
    const link = await this.connect(`receiver-${name}`)
    const tallies: (Tally | undefined)[] = []
    for (const id of ids) {
      const tally = new Tally()
      tallies[id] = tally
      all[id]!.push(tally)
    }
    const pump = ids.length === 1 ? () => this.pump(ids[0]!) : () => this.pumpAll()
    const options = { version: target.version, qos, size, sharing: this.sharing }
    this.receivers.push(new Receiver(link, tallies, options, pump))
    await link.subscribe(filter, qos)
  }

  private begin(limit: number): void {
    this.limit = limit
    this.pumpAll()
  }

  /** Lets so many messages a second go. */
  private tick(rate: number): NodeJS.Timeout {
    const begun = performance.now()
    return setInterval(() => {
      const due = ((performance.now() - begun) / 1000) * rate
      // Publishers take turns, so that a low rate is not a burst of all.
      const { length } = this.flows
      for (let i = 0; i < length; i++) {
        const share = Math.floor((due + i) / length)
        this.flows[i]!.publisher.pump(this.completed(this.flows[i]!), share)
      }
    }, 1)
  }

  private pumpAll(): void {
    for (let i = 0; i < this.flows.length; i++) this.pump(i)
  }

  private pump(id: number): void {
    const flow = this.flows[id]
    if (flow !== undefined) flow.publisher.pump(this.completed(flow), this.limit)
  }

  /** Messages that every receiver has; those it will never have count too, or the flow would stop. */
  private completed({ tallies }: Flow): number {
    if (this.sharing) return tallies.reduce((sum, { received }) => sum + received, 0)
    let least = Number.MAX_SAFE_INTEGER
    for (const { received, lost } of tallies) if (received + lost < least) least = received + lost
    return least
  }

  private sample() {
    const { user, system } = process.cpuUsage()
    return {
      delivered: this.delivered,
      published: this.flows.reduce((sum, { publisher }) => sum + publisher.sent, 0),
      seconds: performance.now() / 1000,
      generator: (user + system) / 1e6,
    }
  }

  /** Settles when everything sent has arrived, or when nothing has moved for a while. */
  private async drained(): Promise<void> {
    const missing = (): number =>
      this.flows.reduce((sum, flow) => {
        const { sent, unacknowledged } = flow.publisher
        return sum + Math.max(0, sent - this.completed(flow)) + unacknowledged
      }, 0)
    let last = Number.NaN
    let since = performance.now()
    for (let now = missing(); now > 0; now = missing()) {
      if (now !== last) since = performance.now()
      else if (performance.now() - since > PATIENCE_MS) return
      last = now
      await wait(10)
      // Releases wait for a pump.
      this.pumpAll()
    }
  }

  private faults() {
    const total = { lost: 0, repeated: 0, strange: 0, unacknowledged: 0 }
    for (const { strange } of this.receivers) total.strange += strange
    for (const { publisher, tallies } of this.flows) {
      total.unacknowledged += publisher.unacknowledged + publisher.strayAcks
      for (const tally of tallies) total.repeated += tally.repeated
      if (this.sharing) {
        const received = tallies.reduce((sum, tally) => sum + tally.received, 0)
        if (received > publisher.sent) total.repeated += received - publisher.sent
        else total.lost += publisher.sent - received
        continue
      }
      for (const { lost, received, repeated } of tallies) {
        total.lost += Math.max(lost, publisher.sent - received + repeated)
      }
    }
    return total
  }
}

function tell(said: FromGenerator): void {
  process.stdout.write(`${JSON.stringify(said)}\n`)
}

function fail(why: string, code?: unknown): never {
  tell({ kind: 'failed', why, code: typeof code === 'string' ? code : undefined })
  process.exit(1)
}

const told = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const { value } = await told.next()
const generator = new Generator(JSON.parse(value ?? '{}') as Load)
await generator.open().catch((error: NodeJS.ErrnoException) => fail(error.message, error.code))
tell({ kind: 'ready' })
await told.next()
const progress = setInterval(() => tell({ kind: 'progress', delivered: generator.delivered }), PROGRESS_MS)
const result = await generator.measure()
clearInterval(progress)
tell({ kind: 'result', result })
generator.close()
process.stdin.destroy()
