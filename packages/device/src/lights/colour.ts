/** Red, green, blue and the white diode, each 0 to 255. */
export interface Rgbw {
  readonly r: number
  readonly g: number
  readonly b: number
  readonly w: number
}

export const CHANNELS = ['r', 'g', 'b', 'w'] as const

export const DARK: Rgbw = { r: 0, g: 0, b: 0, w: 0 }
export const WHITE: Rgbw = { r: 0, g: 0, b: 0, w: 255 }

/** A colour with each channel made anew from the old one. */
export function each(colour: Rgbw, change: (value: number, channel: keyof Rgbw) => number): Rgbw {
  const { r, g, b, w } = colour
  return { r: change(r, 'r'), g: change(g, 'g'), b: change(b, 'b'), w: change(w, 'w') }
}

/** Whole numbers from 0 to 255. */
export function rounded(colour: Rgbw): Rgbw {
  return each(colour, (value) => Math.min(255, Math.max(0, Math.round(value))))
}

/** The colour `share` of the way from one to another, in parts of one.
 *  @param share 0 gives `from`, 1 gives `to` */
export function blend(from: Rgbw, to: Rgbw, share: number): Rgbw {
  const part = Math.min(1, Math.max(0, share))
  return each(from, (value, channel) => value + (to[channel] - value) * part)
}

/** The colour `share` of the way from one to another, as whole numbers.
 *  @param share 0 gives `from`, 1 gives `to` */
export function mix(from: Rgbw, to: Rgbw, share: number): Rgbw {
  return rounded(blend(from, to, share))
}

/** A full colour of the wheel.
 *  @param turn 0 is red, 1/3 green, 2/3 blue, 1 red again */
export function hue(turn: number): Rgbw {
  const sixth = (((turn % 1) + 1) % 1) * 6
  const rising = Math.round(255 * (sixth % 1))
  const falling = 255 - rising
  switch (Math.floor(sixth)) {
    case 0:
      return { r: 255, g: rising, b: 0, w: 0 }
    case 1:
      return { r: falling, g: 255, b: 0, w: 0 }
    case 2:
      return { r: 0, g: 255, b: rising, w: 0 }
    case 3:
      return { r: 0, g: falling, b: 255, w: 0 }
    case 4:
      return { r: rising, g: 0, b: 255, w: 0 }
    default:
      return { r: 255, g: 0, b: falling, w: 0 }
  }
}

/** The full colour of a hue and saturation; the white diode stays dark.
 *  @param h degrees, 0 to 360
 *  @param s per cent, 0 to 100 */
export function fromHueSaturation(h: number, s: number): Rgbw {
  const pure = hue(h / 360)
  const white = { r: 255, g: 255, b: 255, w: 0 }
  return rounded(blend(white, pure, s / 100))
}

/** Hue in degrees and saturation in per cent of the colour without the white diode. */
export function hueSaturation({ r, g, b }: Rgbw): { readonly h: number; readonly s: number } {
  const most = Math.max(r, g, b)
  const range = most - Math.min(r, g, b)
  if (range === 0) return { h: 0, s: 0 }
  const sixth =
    most === r ? ((g - b) / range + 6) % 6 : most === g ? (b - r) / range + 2 : (r - g) / range + 4
  return { h: Math.round(sixth * 60) % 360, s: Math.round((100 * range) / most) }
}

/** The brightest colour of a point of the CIE 1931 diagram that red, green and blue of sRGB can show. */
export function fromXy(x: number, y: number): Rgbw {
  return rounded(encoded(linearOfXy(x, y)))
}

export const COLDEST_KELVIN = 6535
export const WARMEST_KELVIN = 2000

/** White of a colour temperature: the colour of a black body, of which the part that all three share is
 *  given to the white diode. The model takes that diode for a white of 6500 K.
 *  @param kelvin 2000 to 6535 */
export function fromKelvin(kelvin: number): Rgbw {
  const { r, g, b } = linearOfXy(...blackBody(kelvin))
  const w = Math.min(r, g, b)
  const most = Math.max(r - w, g - w, b - w, w)
  return rounded(encoded({ r: (r - w) / most, g: (g - w) / most, b: (b - w) / most, w: w / most }))
}

/** Where a black body of this temperature stands: a cubic fit of the Planckian locus (Kim and others, 2002). */
function blackBody(kelvin: number): [number, number] {
  const t = 1000 / kelvin
  const x =
    kelvin <= 4000
      ? -0.2661239 * t ** 3 - 0.234358 * t ** 2 + 0.8776956 * t + 0.17991
      : -3.0258469 * t ** 3 + 2.1070379 * t ** 2 + 0.2226347 * t + 0.24039
  if (kelvin <= 2222) return [x, -1.1063814 * x ** 3 - 1.3481102 * x ** 2 + 2.18555832 * x - 0.20219683]
  if (kelvin <= 4000) return [x, -0.9549476 * x ** 3 - 1.37418593 * x ** 2 + 2.09137015 * x - 0.16748867]
  return [x, 3.081758 * x ** 3 - 5.8733867 * x ** 2 + 3.75112997 * x - 0.37001483]
}

/** Linear light of sRGB's primaries, the largest 1; what lies outside of them is cut off. */
function linearOfXy(x: number, y: number): Rgbw {
  // The lowest edge has no brightness to divide by.
  const Y = Math.max(y, 1e-6)
  const [X, Z] = [x / Y, (1 - x - Y) / Y]
  const r = Math.max(0, 3.2406 * X - 1.5372 - 0.4986 * Z)
  const g = Math.max(0, -0.9689 * X + 1.8758 + 0.0415 * Z)
  const b = Math.max(0, 0.0557 * X - 0.204 + 1.057 * Z)
  const most = Math.max(r, g, b)
  return { r: r / most, g: g / most, b: b / most, w: 0 }
}

/** Linear light as the eye's 0 to 255; the light's gamma undoes it. */
function encoded(linear: Rgbw): Rgbw {
  return each(linear, (value) => 255 * value ** (1 / 2.2))
}

/** What a screen without a white diode shows: the white is added to each of the three, up to 255. */
export function onScreen(colour: Rgbw): { readonly r: number; readonly g: number; readonly b: number } {
  return {
    r: Math.min(255, colour.r + colour.w),
    g: Math.min(255, colour.g + colour.w),
    b: Math.min(255, colour.b + colour.w),
  }
}
