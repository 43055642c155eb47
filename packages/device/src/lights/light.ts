import { blend, DARK, fromKelvin, type Rgbw, rounded, WHITE } from './colour.ts'
import { type LightCommand, updateOf } from './commands.ts'
import { EFFECTS, type EffectName, nextFrame, nextPicture } from './effects.ts'
import type { LightUpdate } from './update.ts'

export type LightEffect = 'none' | EffectName

/** What a light says of itself on its state topic. */
export interface LightState extends Rgbw {
  readonly on: boolean
  /** 0 to 255; scales what is shown and leaves r, g, b and w as they were set. */
  readonly brightness: number
  readonly effect: LightEffect
  /** When the colour was set as a temperature. */
  readonly color_temp_kelvin?: number
}

interface RunningEffect {
  readonly name: EffectName
  readonly startedAt: number
  readonly turnMs: number
}

interface Transition {
  /** What shone when it began, in parts of one. */
  readonly from: Rgbw
  readonly startedAt: number
  readonly endsAt: number
  readonly isFade: boolean
}

interface Flash {
  readonly startedAt: number
  readonly endsAt: number
}

/** Time between two pictures of a moving light: 50 a second. */
export const FRAME_MS = 20

/** A flash shines and is dark for so long. */
const FLASH_HALF_MS = 250

/** An RGBW light without wires: commands and the time go in, a state and a colour come out.
 *  Times are milliseconds of any clock that does not run backwards. */
export class Light {
  private readonly seed: number
  private on = false
  private colour: Rgbw = WHITE
  private kelvin: number | undefined = undefined
  private brightness = 255
  private effect: RunningEffect | undefined = undefined
  private transition: Transition | undefined = undefined
  private flash: Flash | undefined = undefined

  /** @param seed of the effects that look random; the same seed and times give the same colours */
  constructor(seed = 1) {
    this.seed = seed
  }

  get state(): LightState {
    const { r, g, b, w } = this.colour
    const effect: LightEffect = this.transition?.isFade === true ? 'fade' : (this.effect?.name ?? 'none')
    const state = { on: this.on, r, g, b, w, brightness: this.brightness, effect }
    return this.kelvin === undefined ? state : { ...state, color_temp_kelvin: this.kelvin }
  }

  /** Does what a command says. Every action but `off`, `set_brightness` and `update` turns the light on;
   *  `set_color`, `on` and `off` end an effect. */
  apply(command: LightCommand, now: number): void {
    this.update(updateOf(command), now)
  }

  /** Changes what the update has, and leaves the rest. A transition begins with what shines now. */
  update(update: LightUpdate, now: number): void {
    this.settle(now)
    const from = this.shownAt(now)
    const before = this.transition
    this.flash = undefined
    this.change(update, now)
    const { transitionMs = 0, isFade = false } = update
    if (transitionMs > 0) {
      this.transition = { from, startedAt: now, endsAt: now + transitionMs, isFade }
    } else if (before !== undefined && isDimmedOnly(update)) {
      // What is on its way goes on to the new brightness in the time it has left.
      this.transition = { ...before, from, startedAt: now }
    } else this.transition = undefined
    const { flashMs } = update
    if (flashMs !== undefined) this.flash = { startedAt: now, endsAt: now + flashMs }
  }

  /** The colour that shines at a moment, brightness included. */
  colourAt(now: number): Rgbw {
    return rounded(this.shownAt(now))
  }

  /** When the light looks different without being told; undefined while it stays as it is. */
  nextChangeAt(now: number): number | undefined {
    const { effect, transition, flash } = this
    const times: number[] = []
    if (flash !== undefined && now < flash.endsAt) {
      times.push(flash.endsAt, nextFrame(flash.startedAt, FLASH_HALF_MS, now))
    } else if (transition !== undefined && now < transition.endsAt) {
      times.push(transition.endsAt, nextFrame(transition.startedAt, FRAME_MS, now))
    } else if (transition !== undefined) times.push(now)
    else if (effect !== undefined) {
      times.push(nextPicture(effect.name, effect.startedAt, effect.turnMs, FRAME_MS, now))
    }
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** When the state changes without being told: at the end of a fade to a colour. */
  get settlesAt(): number | undefined {
    return this.transition?.isFade === true ? this.transition.endsAt : undefined
  }

  /** Ends a transition that has arrived; true when that changed the state. */
  settle(now: number): boolean {
    if (this.flash !== undefined && now >= this.flash.endsAt) this.flash = undefined
    const { transition } = this
    if (transition === undefined || now < transition.endsAt) return false
    this.transition = undefined
    return transition.isFade
  }

  private change(update: LightUpdate, now: number): void {
    const { on, colour, kelvin, brightness, effect } = update
    if (brightness !== undefined) this.brightness = brightness
    if (kelvin !== undefined) this.colour = fromKelvin(kelvin)
    if (colour !== undefined) this.colour = { ...this.colour, ...colour }
    const isColoured = colour !== undefined || kelvin !== undefined
    if (isColoured) this.kelvin = colour === undefined ? kelvin : undefined
    const runs = effect !== undefined && effect !== 'none'
    if (on === undefined) this.on ||= isColoured || runs
    else this.on = on === 'toggle' ? !this.on : on
    if (isColoured || effect === 'none' || !this.on) this.effect = undefined
    if (runs && this.on) {
      this.effect = { name: effect, startedAt: now, turnMs: update.turnMs ?? EFFECTS[effect].turnMs }
    }
  }

  /** What shines, in parts of one. */
  private shownAt(now: number): Rgbw {
    const { transition, flash } = this
    if (flash !== undefined && now < flash.endsAt) {
      const isLit = Math.floor((now - flash.startedAt) / FLASH_HALF_MS) % 2 === 0
      // A light that is off, or set to black, flashes white.
      const { r, g, b, w } = this.colour
      return !isLit ? DARK : this.on && r + g + b + w > 0 ? this.scaled(this.colour) : WHITE
    }
    const wanted = this.wantedAt(now)
    if (transition === undefined) return wanted
    const { from, startedAt, endsAt } = transition
    return blend(from, wanted, (now - startedAt) / (endsAt - startedAt))
  }

  /** What would shine without a transition. */
  private wantedAt(now: number): Rgbw {
    if (!this.on) return DARK
    const { effect, colour, seed } = this
    if (effect === undefined) return this.scaled(colour)
    return this.scaled(EFFECTS[effect.name].show(colour, (now - effect.startedAt) / effect.turnMs, seed))
  }

  private scaled(colour: Rgbw): Rgbw {
    return blend(DARK, colour, this.brightness / 255)
  }
}

function isDimmedOnly(update: LightUpdate): boolean {
  return Object.entries(update).every(([name, value]) => name === 'brightness' || value === undefined)
}
