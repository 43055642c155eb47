/** What became of the readings of a run. Every one that was measured is in exactly one of `received`, `kept`
 *  and `lost`. */
export interface Account {
  readonly measured: number
  /** The collector has it. */
  readonly received: number
  /** Not with the collector, but still on its device, to be sent at a later wake. */
  readonly kept: number
  /** Not with the collector, and on no device: by what took it. */
  readonly lost: {
    /** The device's outbox was full, and the oldest gave way. */
    readonly outboxFull: number
    /** Power went while it was neither acknowledged nor written down. */
    readonly power: number
    /** The broker had acknowledged it. This must not be. */
    readonly acknowledged: number
    /** Nobody knows. This must not be either. */
    readonly unexplained: number
  }
  /** Publishes of readings, first ones and repeated ones. */
  readonly publishes: number
  /** Publishes of a reading beyond its first. */
  readonly retries: number
  readonly acknowledged: number
  /** Copies that the collector got beyond the first. */
  readonly duplicates: number
  /** Messages that came to the collector and that no device had measured. This must not be. */
  readonly strange: number
  /** Milliseconds from measuring to the collector: half of the readings, 99 of 100, all. */
  readonly age: { readonly median: number; readonly p99: number; readonly most: number }
}

interface Entry {
  readonly measuredAt: number
  publishes: number
  acknowledged: boolean
  received: number
  fate: 'kept' | 'outboxFull' | 'power' | undefined
}

/** Follows each reading, by its device and its number, from the sensor to the collector. */
export class Ledger {
  private readonly devices: Entry[][]
  /** Milliseconds between measuring and coming, for each that came. */
  private readonly ages: number[] = []
  private readonly open: Set<number>[]
  private strange = 0
  measured = 0
  acknowledged = 0
  received = 0
  publishes = 0

  constructor(devices: number) {
    this.devices = Array.from({ length: devices }, () => [])
    this.open = Array.from({ length: devices }, () => new Set())
  }

  /** A device has measured. @returns the reading's number, from 1 */
  measure(device: number, now: number): number {
    const entries = this.devices[device] as Entry[]
    entries.push({ measuredAt: now, publishes: 0, acknowledged: false, received: 0, fate: undefined })
    this.open[device]?.add(entries.length)
    this.measured++
    return entries.length
  }

  published(device: number, sequence: number): void {
    const entry = this.entry(device, sequence)
    if (entry === undefined) return
    entry.publishes++
    this.publishes++
  }

  acknowledge(device: number, sequence: number): void {
    const entry = this.entry(device, sequence)
    if (entry === undefined || entry.acknowledged) return
    entry.acknowledged = true
    this.open[device]?.delete(sequence)
    this.acknowledged++
  }

  /** The collector has a message. @returns whether it is its first copy */
  receive(device: number, sequence: number, now: number): boolean {
    const entry = this.entry(device, sequence)
    if (entry === undefined) {
      this.strange++
      return false
    }
    entry.received++
    if (entry.received > 1) return false
    this.received++
    this.ages.push(now - entry.measuredAt)
    return true
  }

  /** Takes stock of a device that sleeps, or whose power went: what it has measured, has no acknowledgement for and
   *  has not written down is gone. */
  takeStock(device: number, kept: ReadonlySet<number>, cause: 'outboxFull' | 'power'): void {
    const open = this.open[device] as Set<number>
    for (const sequence of open) {
      const entry = this.entry(device, sequence) as Entry
      entry.fate = kept.has(sequence) ? 'kept' : cause
      if (entry.fate !== 'kept') open.delete(sequence)
    }
  }

  /** Readings that the broker has acknowledged and the collector does not have yet. */
  get owed(): number {
    let owed = 0
    for (const entries of this.devices) {
      for (const entry of entries) if (entry.acknowledged && entry.received === 0) owed++
    }
    return owed
  }

  account(): Account {
    const { measured, publishes, acknowledged, received, strange } = this
    const lost = { outboxFull: 0, power: 0, acknowledged: 0, unexplained: 0 }
    const sums = { kept: 0, retries: 0, duplicates: 0 }
    for (const entries of this.devices) {
      for (const entry of entries) {
        sums.retries += Math.max(0, entry.publishes - 1)
        sums.duplicates += Math.max(0, entry.received - 1)
        if (entry.received > 0) continue
        if (entry.acknowledged) lost.acknowledged++
        else if (entry.fate === 'kept') sums.kept++
        else lost[entry.fate ?? 'unexplained']++
      }
    }
    return { measured, received, lost, publishes, acknowledged, strange, ...sums, age: quantiles(this.ages) }
  }

  private entry(device: number, sequence: number): Entry | undefined {
    return this.devices[device]?.[sequence - 1]
  }
}

/** How many readings are gone for good. */
export function lostReadings({ lost }: Account): number {
  return lost.outboxFull + lost.power + lost.acknowledged + lost.unexplained
}

function quantiles(values: readonly number[]): Account['age'] {
  const sorted = Float64Array.from(values).sort()
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0
  return { median: at(0.5), p99: at(0.99), most: at(1) }
}
