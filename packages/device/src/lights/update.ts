import type { Rgbw } from './colour.ts'
import type { EffectName } from './effects.ts'

/** What is to change of a light; what is absent stays. Every command, whoever wrote it, becomes one of these. */
export interface LightUpdate {
  readonly on?: boolean | 'toggle'
  /** The channels that change, each 0 to 255. A colour, a temperature or an effect turns the light on, unless
   *  `on` is there too. */
  readonly colour?: Partial<Rgbw>
  /** White of this temperature, 2000 to 6535 kelvin. */
  readonly kelvin?: number
  /** 0 to 255; leaves a light that is off off. */
  readonly brightness?: number
  /** `none` ends what runs. A colour or a temperature does so too. */
  readonly effect?: EffectName | 'none'
  /** Milliseconds of one turn of the effect. */
  readonly turnMs?: number
  /** Milliseconds to get from what shines now to what is wanted; absent: at once. */
  readonly transitionMs?: number
  /** The state says `fade` while this transition lasts. */
  readonly isFade?: true
  /** Flashes so many milliseconds, then goes on as it was. */
  readonly flashMs?: number
}
