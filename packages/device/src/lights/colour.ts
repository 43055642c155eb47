/** Red, green, blue and the white diode, each 0 to 255. */
export interface Rgbw {
  readonly r: number
  readonly g: number
  readonly b: number
  readonly w: number
}

export const DARK: Rgbw = { r: 0, g: 0, b: 0, w: 0 }
export const WHITE: Rgbw = { r: 0, g: 0, b: 0, w: 255 }

/** The colour `share` of the way from one to another.
 *  @param share 0 gives `from`, 1 gives `to` */
export function mix(from: Rgbw, to: Rgbw, share: number): Rgbw {
  const part = Math.min(1, Math.max(0, share))
  return {
    r: Math.round(from.r + (to.r - from.r) * part),
    g: Math.round(from.g + (to.g - from.g) * part),
    b: Math.round(from.b + (to.b - from.b) * part),
    w: Math.round(from.w + (to.w - from.w) * part),
  }
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

/** What a screen without a white diode shows: the white is added to each of the three, up to 255. */
export function onScreen(colour: Rgbw): { readonly r: number; readonly g: number; readonly b: number } {
  return {
    r: Math.min(255, colour.r + colour.w),
    g: Math.min(255, colour.g + colour.w),
    b: Math.min(255, colour.b + colour.w),
  }
}
