import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { geohash, geohashCover } from './geohash.ts'
import { bearing, destination, distanceKm, type Place } from './sphere.ts'

const ALPHABET = '0123456789bcdefghjkmnpqrstuvwxyz'

interface Box {
  readonly south: number
  readonly north: number
  readonly west: number
  readonly east: number
}

/** The box of a geohash, by halving: another path than the one that is tested. */
function boxOf(hash: string): Box {
  let [south, north, west, east] = [-90, 90, -180, 180]
  let isLongitude = true
  for (const character of hash) {
    for (let bit = 4; bit >= 0; bit--) {
      const upper = (ALPHABET.indexOf(character) >> bit) % 2 === 1
      if (isLongitude) {
        const middle = (west + east) / 2
        if (upper) west = middle
        else east = middle
      } else {
        const middle = (south + north) / 2
        if (upper) south = middle
        else north = middle
      }
      isLongitude = !isLongitude
    }
  }
  return { south, north, west, east }
}

/** Distance from a place to a box, side by side. On a parallel the nearest is the one of least difference in
 *  longitude; on a meridian, with R = hypot(sin, cos · cos Δ), the cosine of the distance is R cos(latitude − peak). */
function distanceToBox(place: Place, { south, north, west, east }: Box): number {
  const sides = [west, east]
  const isBetween = place.longitude >= west && place.longitude <= east
  if (isBetween && place.latitude >= south && place.latitude <= north) return 0
  if (isBetween) sides.push(place.longitude)
  const radians = Math.PI / 180
  const from = place.latitude * radians
  const candidates = sides.flatMap((longitude) => {
    const difference = (place.longitude - longitude) * radians
    const peak = Math.atan2(Math.sin(from), Math.cos(from) * Math.cos(difference)) / radians
    return [south, north, Math.max(south, Math.min(north, peak))].map((latitude) =>
      distanceKm(place, { latitude, longitude }),
    )
  })
  return Math.min(...candidates)
}

const places = fc.oneof(
  fc.record({
    latitude: fc.double({ min: -90, max: 90, noNaN: true }),
    longitude: fc.double({ min: -180, max: 180, noNaN: true }),
  }),
  // Poles and the antimeridian, and close to them.
  fc.record({
    latitude: fc.constantFrom(-90, -89.99999, -89.99, -89.95, -85, 0, 60, 85, 89.93, 89.999, 89.9999999, 90),
    longitude: fc.constantFrom(-180, -179.9999, -0.0001, 0, 45, 179.9999, 180),
  }),
)
const radii = fc.oneof(
  fc.double({ min: 0.01, max: 50, noNaN: true }),
  fc.double({ min: 50, max: 3000, noNaN: true }),
)
const ways = fc.array(
  fc.tuple(fc.double({ min: 0, max: 360, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
  { minLength: 20, maxLength: 40 },
)

/** All cells one character finer than these whose box comes within the radius. */
function finerWithin(cells: readonly string[], centre: Place, radiusKm: number): string[] {
  return cells
    .flatMap((cell) => [...ALPHABET].map((character) => cell + character))
    .filter((cell) => distanceToBox(centre, boxOf(cell)) <= radiusKm)
}

describe('geohash()', () => {
  test('gives what is known of some places', () => {
    expect(geohash({ latitude: 57.64911, longitude: 10.40744 }, 11)).toBe('u4pruydqqvj')
    expect(geohash({ latitude: 42.6, longitude: -5.6 }, 5)).toBe('ezs42')
    expect(geohash({ latitude: 90, longitude: 180 }, 2)).toBe('bp')
  })

  // A hair for what rounding does to a number such as -1e-300.
  test('lies in the box of its own name', () => {
    fc.assert(
      fc.property(places, fc.integer({ min: 1, max: 12 }), (place, precision) => {
        const { south, north, west, east } = boxOf(geohash(place, precision))
        const longitude = place.longitude === 180 ? -180 : place.longitude
        expect(place.latitude >= south - 1e-12 && place.latitude <= north + 1e-12).toBe(true)
        expect(longitude >= west - 1e-12 && longitude <= east + 1e-12).toBe(true)
      }),
    )
  })
})

describe('geohashCover()', () => {
  test('holds every place of the circle with at most 9 cells, poles and antimeridian included', () => {
    fc.assert(
      fc.property(places, radii, ways, (centre, radiusKm, directions) => {
        const cells = geohashCover(centre, radiusKm)
        expect(cells.length).toBeLessThanOrEqual(9)
        for (const [direction, part] of [...directions, [0, 1], [90, 1], [180, 1], [270, 1]] as const) {
          const place = destination(centre, direction, radiusKm * part * 0.999999)
          const hash = geohash(place, 12)
          expect(cells.some((cell) => hash.startsWith(cell))).toBe(true)
        }
      }),
      { numRuns: 400 },
    )
  })

  test('is the finest: by brute force over every cell, one character more would be above 9, at the poles too', () => {
    fc.assert(
      fc.property(places, radii, (centre, radiusKm) => {
        const cells = geohashCover(centre, radiusKm)
        // A hair for rounding.
        const reached = radiusKm * (1 + 1e-9) + 1e-6
        for (const cell of cells) expect(distanceToBox(centre, boxOf(cell))).toBeLessThanOrEqual(reached)
        expect(cells[0]?.length === 12 || finerWithin(cells, centre, reached).length > 9).toBe(true)
      }),
      { numRuns: 400 },
    )
  })

  test('crosses the antimeridian, and goes around a pole', () => {
    const across = geohashCover({ latitude: 0, longitude: 180 }, 10)
    expect(new Set(across.map((cell) => cell[0]))).toEqual(new Set(['8', '2', 'r', 'x']))
    expect(geohashCover({ latitude: 90, longitude: 0 }, 10)).toEqual(['b', 'c', 'f', 'g', 'u', 'v', 'y', 'z'])
    expect(geohashCover({ latitude: 0, longitude: 0 }, 9_000)).toEqual([''])
  })

  test.each([
    [{ latitude: 0, longitude: 0 }, 0],
    [{ latitude: 0, longitude: 0 }, Number.NaN],
    [{ latitude: 91, longitude: 0 }, 1],
    [{ latitude: 0, longitude: 181 }, 1],
  ])('refuses %j with radius %d', (centre, radiusKm) => {
    expect(() => geohashCover(centre, radiusKm)).toThrow(RangeError)
  })
})

describe('distance and bearing', () => {
  test('are those of known places', () => {
    const paris = { latitude: 48.8566, longitude: 2.3522 }
    const london = { latitude: 51.5074, longitude: -0.1278 }
    expect(distanceKm(paris, london)).toBeCloseTo(343.6, 0)
    expect(bearing(paris, london)).toBeCloseTo(330.0, 0)
    expect(bearing({ latitude: 0, longitude: 179 }, { latitude: 0, longitude: -179 })).toBeCloseTo(90)
  })

  test('lead back to where one set out', () => {
    const middle = fc.record({
      latitude: fc.double({ min: -80, max: 80, noNaN: true }),
      longitude: fc.double({ min: -180, max: 180, noNaN: true }),
    })
    fc.assert(
      fc.property(
        middle,
        fc.double({ min: 0, max: 359, noNaN: true }),
        fc.double({ min: 1, max: 900, noNaN: true }),
        (from, direction, km) => {
          const to = destination(from, direction, km)
          expect(distanceKm(from, to)).toBeCloseTo(km, 5)
          const off = Math.abs(((bearing(from, to) - direction + 540) % 360) - 180)
          expect(off).toBeLessThan(1e-6)
        },
      ),
    )
  })
})
