import { blend, DARK, each, hue, type Rgbw } from './colour.ts'

export const EFFECT_NAMES = ['blink', 'fade', 'rainbow', 'pulse', 'strobe', 'candle', 'color_wheel'] as const

/** What moves a light until it is told otherwise. */
export type EffectName = (typeof EFFECT_NAMES)[number]

interface Effect {
  /** Milliseconds of one turn unless the command says. */
  readonly turnMs: number
  /** Parts of a turn at which the picture changes; absent: it moves all the time. */
  readonly changesAt?: readonly number[]
  /** The colour at a moment, before the light's brightness. The same arguments give the same colour.
   *  @param colour the one that the light was set to
   *  @param turns how many it has made, parts included
   *  @param seed chooses among all candles */
  readonly show: (colour: Rgbw, turns: number, seed: number) => Rgbw
}

/** Every effect of a light. */
export const EFFECTS: Readonly<Record<EffectName, Effect>> = {
  blink: { turnMs: 1_000, changesAt: [0, 0.5], show: (colour, turns) => (turns % 1 < 0.5 ? colour : DARK) },
  fade: {
    turnMs: 3_000,
    show: (colour, turns) => blend(DARK, colour, (1 + Math.cos(2 * Math.PI * turns)) / 2),
  },
  rainbow: { turnMs: 6_000, show: (_, turns) => hue(turns) },
  pulse: { turnMs: 1_500, show: (colour, turns) => blend(DARK, colour, beat(turns % 1)) },
  strobe: { turnMs: 100, changesAt: [0, 0.2], show: (colour, turns) => (turns % 1 < 0.2 ? colour : DARK) },
  candle: { turnMs: 1_000, show: flicker },
  color_wheel: { turnMs: 12_000, show: (_, turns) => hue(stop(turns)) },
}

/** When the picture of an effect changes next.
 *  @param frameMs between two pictures of what moves all the time, counted from `startedAt`: a late timer
 *    does not make the next one late */
export function nextPicture(
  effect: EffectName,
  startedAt: number,
  turnMs: number,
  frameMs: number,
  now: number,
): number {
  const { changesAt } = EFFECTS[effect]
  if (changesAt === undefined) return nextFrame(startedAt, frameMs, now)
  const turns = (now - startedAt) / turnMs
  const whole = Math.floor(turns)
  const later = changesAt.find((part) => part > turns - whole) ?? 1 + (changesAt[0] ?? 0)
  // Where parts of one are not exact, the change may seem to be now, or a moment ago.
  return Math.max(now + 1, startedAt + (whole + later) * turnMs)
}

/** The first moment after `now` that is a whole number of frames behind `startedAt`. */
export function nextFrame(startedAt: number, frameMs: number, now: number): number {
  return startedAt + (Math.floor((now - startedAt) / frameMs) + 1) * frameMs
}

/** Up within a tenth of the turn, then slowly down. */
function beat(part: number): number {
  return part < 0.1 ? part / 0.1 : Math.exp(-5 * (part - 0.1))
}

/** Rests on each of the six full colours for two thirds of its time, then goes over to the next. */
function stop(turns: number): number {
  const sixths = turns * 6
  const whole = Math.floor(sixths)
  return (whole + Math.max(0, (sixths - whole) * 3 - 2)) / 6
}

/** Noise between eight random levels a turn; a flame that is low is redder. */
function flicker(colour: Rgbw, turns: number, seed: number): Rgbw {
  const knots = turns * 8
  const knot = Math.floor(knots)
  const part = knots - knot
  const smooth = part * part * (3 - 2 * part)
  const level = 0.35 + 0.65 * (noise(seed, knot) * (1 - smooth) + noise(seed, knot + 1) * smooth)
  const warmth = { r: 1, g: 0.7 + 0.3 * level, b: 0.4 + 0.6 * level, w: 1 }
  return each(colour, (value, channel) => value * level * warmth[channel])
}

/** A number from 0 up to 1 that looks random and is always the same for the same place. */
function noise(seed: number, place: number): number {
  let bits = Math.imul(seed ^ Math.imul(place, 0x9e3779b1), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32
}
