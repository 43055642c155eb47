import { each, type Rgbw } from './colour.ts'

/** How much a light's channels draw, and how much they may draw together. */
export interface PowerLimit {
  /** Milliamperes that the whole light may draw. */
  readonly limitMilliamperes: number
  /** Milliamperes of each channel at full; default 20 for each, a common 5 mm or 5050 LED. */
  readonly channelMilliamperes?: Partial<Rgbw>
  /** Milliamperes that the light draws when it is dark; default 0. */
  readonly idleMilliamperes?: number
}

export interface OutputOptions {
  /** The exponent between what the eye sees and how long a diode is lit; 1: none. Default 2.2. */
  readonly gamma?: number
  /** Bits of the pulse width, 1 to 16; default 8, so a full channel is 255. */
  readonly dutyBits?: number
  readonly power?: PowerLimit
}

/** What goes to the wires. */
export interface Driven {
  /** How long each channel is lit, 0 to 2^dutyBits - 1. */
  readonly duty: Rgbw
  /** What the model says the light draws. */
  readonly milliamperes: number
  /** Whether all channels were turned down to stay under the limit. */
  readonly isLimited: boolean
}

/** Makes pulse widths of a colour: gamma first, then the power limit. The model of the current is linear: a
 *  channel that is lit half of the time draws half of what it draws at full. */
export class LightOutput {
  private readonly gamma: number
  private readonly full: number
  private readonly channel: Rgbw
  private readonly idle: number
  private readonly limit: number

  /** @throws RangeError naming the option that is wrong */
  constructor(options: OutputOptions = {}) {
    const { gamma = 2.2, dutyBits = 8, power } = options
    this.gamma = checked('gamma', gamma, 1, 5)
    if (!Number.isInteger(dutyBits)) throw new RangeError(`dutyBits is ${dutyBits}; it takes 1 to 16`)
    this.full = 2 ** checked('dutyBits', dutyBits, 1, 16) - 1
    this.channel = each({ r: 20, g: 20, b: 20, w: 20, ...power?.channelMilliamperes }, (value, name) =>
      checked(`channelMilliamperes.${name}`, value, 0, 100_000),
    )
    this.idle = checked('idleMilliamperes', power?.idleMilliamperes ?? 0, 0, 100_000)
    this.limit = power === undefined ? Number.POSITIVE_INFINITY : power.limitMilliamperes
    if (power !== undefined && !(power.limitMilliamperes > this.idle)) {
      const given = `limitMilliamperes is ${power.limitMilliamperes}`
      throw new RangeError(`${given}; it takes more than idleMilliamperes, which is ${this.idle}`)
    }
  }

  /** @param colour as the eye is to see it, each channel 0 to 255 */
  drive(colour: Rgbw): Driven {
    const lit = each(colour, (value) => this.full * (value / 255) ** this.gamma)
    const wanted = each(lit, Math.round)
    const milliamperes = this.current(wanted)
    if (milliamperes <= this.limit) return { duty: wanted, milliamperes, isLimited: false }
    const share = (this.limit - this.idle) / (milliamperes - this.idle)
    // Rounded down: rounding up could take it over the limit again.
    const duty = each(wanted, (value) => Math.floor(value * share))
    return { duty, milliamperes: this.current(duty), isLimited: true }
  }

  private current(duty: Rgbw): number {
    const { r, g, b, w } = this.channel
    return this.idle + (duty.r * r + duty.g * g + duty.b * b + duty.w * w) / this.full
  }
}

function checked(name: string, value: number, lowest: number, highest: number): number {
  if (value >= lowest && value <= highest) return value
  throw new RangeError(`${name} is ${value}; it takes ${lowest} to ${highest}`)
}
