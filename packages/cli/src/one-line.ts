/** What turns the direction of writing, begins a line, or is obeyed by terminals. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu

/** Text that may hold what others have said, as it may stand in a line of a log: it cannot begin a line of its own. In
 *  a line of JSON it stays JSON. */
export function oneLine(text: string): string {
  return text.replaceAll(UNPRINTABLE, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
