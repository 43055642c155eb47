/** A place on the earth, in degrees. */
export interface Place {
  readonly latitude: number
  readonly longitude: number
}

/** Mean radius of the earth. */
export const EARTH_KM = 6371.0088
const RADIANS = Math.PI / 180

/** Kilometres along the great circle. */
export function distanceKm(from: Place, to: Place): number {
  const a = from.latitude * RADIANS
  const b = to.latitude * RADIANS
  const dLatitude = Math.sin((b - a) / 2)
  const dLongitude = Math.sin(((to.longitude - from.longitude) * RADIANS) / 2)
  const h = dLatitude * dLatitude + Math.cos(a) * Math.cos(b) * dLongitude * dLongitude
  return 2 * EARTH_KM * Math.asin(Math.min(1, Math.sqrt(h)))
}

/** The direction in which one sets out from one place to another: degrees clockwise from north, 0 to 360. */
export function bearing(from: Place, to: Place): number {
  const a = from.latitude * RADIANS
  const b = to.latitude * RADIANS
  const dLongitude = (to.longitude - from.longitude) * RADIANS
  const east = Math.sin(dLongitude) * Math.cos(b)
  const north = Math.cos(a) * Math.sin(b) - Math.sin(a) * Math.cos(b) * Math.cos(dLongitude)
  return (Math.atan2(east, north) / RADIANS + 360) % 360
}

/** Where one is after so many kilometres in a direction. */
export function destination(from: Place, direction: number, km: number): Place {
  const a = from.latitude * RADIANS
  const angle = km / EARTH_KM
  const course = direction * RADIANS
  const sine = Math.sin(a) * Math.cos(angle) + Math.cos(a) * Math.sin(angle) * Math.cos(course)
  const latitude = Math.asin(Math.max(-1, Math.min(1, sine)))
  const east = Math.sin(course) * Math.sin(angle) * Math.cos(a)
  const turned = Math.atan2(east, Math.cos(angle) - Math.sin(a) * Math.sin(latitude)) / RADIANS
  return { latitude: latitude / RADIANS, longitude: wrap(from.longitude + turned) }
}

/** A longitude from −180 up to, not including, 180. */
export function wrap(longitude: number): number {
  // What is in range stays as it is: the sums below would round 179.99999999999994 to 180.
  if (longitude >= -180 && longitude < 180) return longitude
  return ((((longitude + 180) % 360) + 360) % 360) - 180
}
