import { type FleetProgress, spoken } from '@pipit/device'
import { hasColours } from './terminal.ts'

/** How often the line is drawn again. */
const EVERY_MS = 250

/** Draws one line over itself on a terminal, and nothing anywhere else. @returns what takes the line away */
export function watchProgress(out: NodeJS.WriteStream, read: () => FleetProgress): () => void {
  if (!hasColours(out)) return () => {}
  const draw = (): void => {
    // A terminal that does not know its width says 0.
    const width = (out.columns || 80) - 1
    out.write(`\r\x1b[2K${describeProgress(read()).slice(0, width)}`)
  }
  draw()
  const timer = setInterval(draw, EVERY_MS)
  return () => {
    clearInterval(timer)
    out.write('\r\x1b[2K')
  }
}

/** `1 h 20 m of 1 d · 5 %, 12 awake, 400 measured, 396 received`. */
export function describeProgress(progress: FleetProgress): string {
  const { at, of, awake, measured, received, outage } = progress
  const parts = [
    `${spoken(at)} of ${spoken(of)} (${Math.floor((100 * at) / of)} %)`,
    `${awake} awake`,
    `${measured} measured`,
    `${received} received`,
    ...(outage === undefined
      ? []
      : [outage.kind === 'restart' ? 'the broker is down' : 'the broker is out of reach']),
  ]
  return parts.join(', ')
}
