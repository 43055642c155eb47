import { EARTH_KM, type Place, wrap } from './sphere.ts'

const ALPHABET = '0123456789bcdefghjkmnpqrstuvwxyz'
const FINEST = 12
const RADIANS = Math.PI / 180

/** The geohash of a place. @param precision characters, 1 to 12 */
export function geohash({ latitude, longitude }: Place, precision: number): string {
  const { rows, columns } = gridOf(precision)
  const row = Math.min(rows - 1, Math.max(0, Math.floor(((latitude + 90) / 180) * rows)))
  const column = Math.min(columns - 1, Math.floor(((wrap(longitude) + 180) / 360) * columns))
  return nameOf(row, column, precision)
}

/** The finest cells of one size that hold a circle, at most so many of them, sorted.
 *  A circle that no such number of cells holds gives [''], the whole earth.
 *  @param radiusKm above 0, up to 10000, less than a quarter of the way around the earth
 *  @throws RangeError for another radius, or a place that is none */
export function geohashCover(centre: Place, radiusKm: number, most = 9): string[] {
  const { latitude, longitude } = centre
  if (!(radiusKm > 0 && radiusKm <= 10_000))
    throw new RangeError(`the radius is ${radiusKm} km; it takes up to 10000`)
  if (!(Math.abs(latitude) <= 90)) throw new RangeError(`the latitude is ${latitude}; it takes -90 to 90`)
  if (!(Math.abs(longitude) <= 180))
    throw new RangeError(`the longitude is ${longitude}; it takes -180 to 180`)
  for (let precision = FINEST; precision > 0; precision--) {
    const cells = cellsAt(centre, radiusKm, precision, most)
    if (cells !== undefined) return cells.sort()
  }
  return ['']
}

/** The cells that a circle touches; undefined when there are more than `most`. */
function cellsAt(centre: Place, radiusKm: number, precision: number, most: number): string[] | undefined {
  const { rows, columns } = gridOf(precision)
  const radius = radiusKm / EARTH_KM
  const height = 180 / rows
  const bottom = centre.latitude - radius / RADIANS
  const top = centre.latitude + radius / RADIANS
  const rowAt = (latitude: number) => Math.min(rows - 1, Math.max(0, Math.floor((latitude + 90) / height)))
  const firstRow = rowAt(bottom)
  const lastRow = rowAt(top)
  if (lastRow - firstRow >= most) return undefined
  const found = new Set<string>()
  for (let row = firstRow; row <= lastRow; row++) {
    const low = -90 + row * height
    const reach = reachInBand(centre.latitude, radius, low, low + height)
    for (const column of columnsWithin(centre.longitude, reach, columns, most)) {
      found.add(nameOf(row, column, precision))
      if (found.size > most) return undefined
    }
  }
  return [...found]
}

/** How far in longitude, in degrees, a circle reaches to both sides within a band of latitudes. */
function reachInBand(latitude: number, radius: number, low: number, high: number): number {
  const centre = latitude * RADIANS
  const [south, north] = [Math.max(low * RADIANS, centre - radius), Math.min(high * RADIANS, centre + radius)]
  // A band with a pole that lies in the circle goes all around.
  if (centre + radius >= Math.PI / 2 && high >= 90) return 180
  if (centre - radius <= -Math.PI / 2 && low <= -90) return 180
  // The circle is widest where a meridian touches it, and narrows away from there.
  const widest = Math.asin(Math.max(-1, Math.min(1, Math.sin(centre) / Math.cos(radius))))
  return reachAt(centre, radius, Math.min(north, Math.max(south, widest)))
}

/** How far in longitude, in degrees, a circle reaches at one latitude; all angles in radians. */
function reachAt(centre: number, radius: number, latitude: number): number {
  const scale = Math.cos(latitude) * Math.cos(centre)
  if (scale < 1e-15) return 180
  // Haversines: cosines would lose a small circle in rounding.
  const square = (Math.sin(radius / 2) ** 2 - Math.sin((latitude - centre) / 2) ** 2) / scale
  if (square >= 1) return 180
  if (square <= 0) return 0
  return (2 * Math.asin(Math.sqrt(square))) / RADIANS
}

/** The columns from `reach` degrees west of a longitude to as many east; one more than `most` says too many. */
function columnsWithin(longitude: number, reach: number, columns: number, most: number): number[] {
  const width = 360 / columns
  // A hair more, for what rounding took.
  const margin = Math.min(width / 1000, 1e-9)
  const west = Math.floor((wrap(longitude) + 180 - reach - margin) / width)
  const east = Math.floor((wrap(longitude) + 180 + reach + margin) / width)
  const count = Math.min(columns, east - west + 1, most + 1)
  return Array.from({ length: count }, (_, i) => (((west + i) % columns) + columns) % columns)
}

/** How many rows and columns of cells there are: bits take turns, longitude first. */
function gridOf(precision: number): { rows: number; columns: number } {
  const bits = precision * 5
  return { rows: 2 ** Math.floor(bits / 2), columns: 2 ** Math.ceil(bits / 2) }
}

function nameOf(row: number, column: number, precision: number): string {
  const bits = precision * 5
  let [rowBit, columnBit] = [Math.floor(bits / 2), Math.ceil(bits / 2)]
  let name = ''
  let value = 0
  for (let bit = 0; bit < bits; bit++) {
    // Up to 30 bits each: plain division, because << is signed.
    const one =
      bit % 2 === 0 ? Math.floor(column / 2 ** --columnBit) % 2 : Math.floor(row / 2 ** --rowBit) % 2
    value = value * 2 + one
    if (bit % 5 === 4) {
      name += ALPHABET[value]
      value = 0
    }
  }
  return name
}
