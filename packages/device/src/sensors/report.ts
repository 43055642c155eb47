/** When a reading is worth a message. */
export interface ReportPolicy {
  /** How far the value has to be from the one that was last reported; 0: any change. Default 0. */
  readonly hysteresis?: number
  /** Milliseconds between two reports at least, whatever changes; default 0. */
  readonly minimumIntervalMs?: number
  /** Milliseconds between two reports at most, though nothing changes; default: no bound. */
  readonly maximumIntervalMs?: number
}

/** Remembers what was reported, and says whether the next reading is to be. */
export class ReportGate {
  private readonly hysteresis: number
  private readonly minimumMs: number
  private readonly maximumMs: number
  private last: { readonly value: number; readonly at: number } | undefined = undefined

  /** @throws RangeError naming the option that is wrong */
  constructor(policy: ReportPolicy = {}) {
    this.hysteresis = checked('hysteresis', policy.hysteresis ?? 0)
    this.minimumMs = checked('minimumIntervalMs', policy.minimumIntervalMs ?? 0)
    this.maximumMs = checked('maximumIntervalMs', policy.maximumIntervalMs ?? Number.POSITIVE_INFINITY)
    if (this.maximumMs < this.minimumMs || this.maximumMs === 0) {
      throw new RangeError(
        `maximumIntervalMs is ${this.maximumMs}; it takes more than 0 and minimumIntervalMs`,
      )
    }
  }

  /** @param now milliseconds of a clock that does not run backwards */
  isDue(value: number, now: number): boolean {
    const { last } = this
    if (last === undefined) return true
    const passed = now - last.at
    if (passed < this.minimumMs) return false
    if (passed >= this.maximumMs) return true
    const distance = Math.abs(value - last.value)
    return distance > 0 && distance >= this.hysteresis
  }

  reported(value: number, now: number): void {
    this.last = { value, at: now }
  }
}

function checked(name: string, value: number): number {
  if (value >= 0) return value
  throw new RangeError(`${name} is ${value}; it takes a number from 0 on`)
}
