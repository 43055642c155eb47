import { DARK, hue, mix, type Rgbw, WHITE } from './colour.ts'
import type { LightCommand } from './commands.ts'

export type LightEffect = 'none' | 'blink' | 'fade' | 'rainbow'

/** What a light says of itself on its state topic. */
export interface LightState extends Rgbw {
  readonly on: boolean
  /** 0 to 255; scales what is shown and leaves r, g, b and w as they were set. */
  readonly brightness: number
  readonly effect: LightEffect
}

interface RunningEffect {
  readonly kind: Exclude<LightEffect, 'none'>
  readonly startedAt: number
  readonly durationMs: number
  /** Where a fade to a colour began; undefined for what goes on until it is told otherwise. */
  readonly from: Rgbw | undefined
}

/** Time between two pictures of a moving effect: 50 a second. */
export const FRAME_MS = 20

/** An RGBW light without wires: commands and the time go in, a state and a colour come out.
 *  Times are milliseconds of any clock that does not run backwards. */
export class Light {
  private on = false
  private colour: Rgbw = WHITE
  private brightness = 255
  private effect: RunningEffect | undefined = undefined

  get state(): LightState {
    const { r, g, b, w } = this.colour
    return { on: this.on, r, g, b, w, brightness: this.brightness, effect: this.effect?.kind ?? 'none' }
  }

  /** Does what a command says. Every action but `off` and `set_brightness` turns the light on;
   *  `set_color`, `on` and `off` end an effect. */
  apply(command: LightCommand, now: number): void {
    this.settle(now)
    switch (command.action) {
      case 'set_color':
        this.colour = { r: command.r, g: command.g, b: command.b, w: command.w }
        this.turn(true)
        return
      case 'on':
      case 'off':
        this.turn(command.action === 'on')
        return
      case 'set_brightness':
        this.brightness = command.brightness
        return
      case 'fade': {
        const from = command.to === undefined ? undefined : this.unscaled(now)
        if (command.to !== undefined) this.colour = command.to
        this.run('fade', command.durationMs, now, from)
        return
      }
      case 'blink':
      case 'rainbow':
        this.run(command.action, command.durationMs, now, undefined)
    }
  }

  /** The colour that shines at a moment, brightness included. */
  colourAt(now: number): Rgbw {
    return mix(DARK, this.unscaled(now), this.brightness / 255)
  }

  /** When the light looks different without being told; undefined while it stays as it is. */
  nextChangeAt(now: number): number | undefined {
    const effect = this.effect
    if (effect === undefined) return undefined
    if (effect.kind !== 'blink') return Math.min(now + FRAME_MS, Math.max(now, this.settlesAt ?? Infinity))
    const half = effect.durationMs / 2
    return effect.startedAt + (Math.floor((now - effect.startedAt) / half) + 1) * half
  }

  /** When the state changes without being told: at the end of a fade to a colour. */
  get settlesAt(): number | undefined {
    const effect = this.effect
    return effect?.from === undefined ? undefined : effect.startedAt + effect.durationMs
  }

  /** Ends a fade that has arrived; true when that changed the state. */
  settle(now: number): boolean {
    const settlesAt = this.settlesAt
    if (settlesAt === undefined || now < settlesAt) return false
    this.effect = undefined
    return true
  }

  private turn(on: boolean): void {
    this.on = on
    this.effect = undefined
  }

  private run(kind: RunningEffect['kind'], durationMs: number, now: number, from: Rgbw | undefined): void {
    this.on = true
    this.effect = { kind, startedAt: now, durationMs, from }
  }

  private unscaled(now: number): Rgbw {
    if (!this.on) return DARK
    const effect = this.effect
    if (effect === undefined) return this.colour
    const passed = (now - effect.startedAt) / effect.durationMs
    switch (effect.kind) {
      case 'blink':
        return passed % 1 < 0.5 ? this.colour : DARK
      case 'rainbow':
        return hue(passed)
      case 'fade':
        if (effect.from !== undefined) return mix(effect.from, this.colour, passed)
        return mix(DARK, this.colour, (1 + Math.cos(2 * Math.PI * passed)) / 2)
    }
  }
}
