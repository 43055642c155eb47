const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

/** A moment: the date in local time, and the nanoseconds of its second. */
export interface Moment {
  readonly date: Date
  readonly nanoseconds: number
}

/** What strftime(3) puts for `%` and this character, in the C locale and local time.
 *  A character it does not know stays as it is, behind a `%`. */
export function strftime(character: string, { date }: Moment): string {
  const write = CONVERSIONS[character]
  return write === undefined ? `%${character}` : write(date)
}

const two = (value: number) => String(value).padStart(2, '0')
const spaced = (value: number) => String(value).padStart(2, ' ')
const hour12 = (date: Date) => date.getHours() % 12 || 12
const clock = (date: Date) => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
const american = (date: Date) =>
  `${two(date.getMonth() + 1)}/${two(date.getDate())}/${two(date.getFullYear() % 100)}`
const day = (date: Date) => DAYS[date.getDay()] ?? ''
const month = (date: Date) => MONTHS[date.getMonth()] ?? ''

const CONVERSIONS: Readonly<Record<string, (date: Date) => string>> = {
  a: (d) => day(d).slice(0, 3),
  A: day,
  b: (d) => month(d).slice(0, 3),
  B: month,
  c: (d) =>
    `${day(d).slice(0, 3)} ${month(d).slice(0, 3)} ${spaced(d.getDate())} ${clock(d)} ${d.getFullYear()}`,
  C: (d) => two(Math.floor(d.getFullYear() / 100)),
  d: (d) => two(d.getDate()),
  D: american,
  e: (d) => spaced(d.getDate()),
  F: (d) => `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`,
  g: (d) => two(isoWeek(d).year % 100),
  G: (d) => String(isoWeek(d).year),
  h: (d) => month(d).slice(0, 3),
  H: (d) => two(d.getHours()),
  I: (d) => two(hour12(d)),
  j: (d) => String(dayOfYear(d) + 1).padStart(3, '0'),
  k: (d) => spaced(d.getHours()),
  l: (d) => spaced(hour12(d)),
  m: (d) => two(d.getMonth() + 1),
  M: (d) => two(d.getMinutes()),
  n: () => '\n',
  p: (d) => (d.getHours() < 12 ? 'AM' : 'PM'),
  P: (d) => (d.getHours() < 12 ? 'am' : 'pm'),
  r: (d) =>
    `${two(hour12(d))}:${two(d.getMinutes())}:${two(d.getSeconds())} ${d.getHours() < 12 ? 'AM' : 'PM'}`,
  R: (d) => `${two(d.getHours())}:${two(d.getMinutes())}`,
  s: (d) => String(Math.floor(d.getTime() / 1000)),
  S: (d) => two(d.getSeconds()),
  t: () => '\t',
  T: clock,
  u: (d) => String(d.getDay() || 7),
  U: (d) => two(Math.floor((dayOfYear(d) + 7 - d.getDay()) / 7)),
  V: (d) => two(isoWeek(d).week),
  w: (d) => String(d.getDay()),
  W: (d) => two(Math.floor((dayOfYear(d) + 7 - ((d.getDay() + 6) % 7)) / 7)),
  x: american,
  X: clock,
  y: (d) => two(d.getFullYear() % 100),
  Y: (d) => String(d.getFullYear()),
  z: offset,
  Z: (d) => zone(d),
}

/** Hours and minutes east of UTC: `+0100`. */
export function offset(date: Date): string {
  const minutes = -date.getTimezoneOffset()
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`
}

function zone(date: Date): string {
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(date)
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? ''
}

function dayOfYear(date: Date): number {
  const start = Date.UTC(date.getFullYear(), 0, 1)
  return (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - start) / 86_400_000
}

/** ISO 8601: the week with the year's first Thursday is week 1. */
function isoWeek(date: Date): { year: number; week: number } {
  const thursday = new Date(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()))
  thursday.setUTCDate(thursday.getUTCDate() + 3 - ((thursday.getUTCDay() + 6) % 7))
  const year = thursday.getUTCFullYear()
  return { year, week: 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / 604_800_000) }
}
