import { type Collector, type CollectorState, LightningCollector, type Store } from '@pipit/collectors'
import { hasColours } from './terminal.ts'

/** Where a collector is shown. */
export interface CollectView {
  /** Prints a line for the person who watches. */
  note(line: string): void
  /** Leaves the terminal as it was. */
  end(): void
}

/** Pictures a second at most, whatever comes in. */
const REFRESH_MS = 250
const ERASE_LINE = '\r\x1b[2K'

/** A line that is drawn over itself where there is a terminal, else only the notes. */
export function collectView(out: NodeJS.WriteStream, collector: Collector, store: Store): CollectView {
  if (!hasColours(out)) return { note: (line) => void out.write(`${line}\n`), end: () => {} }
  let drawn = ''
  const draw = (): void => {
    const picture = statusLine(collector, store).slice(0, Math.max(0, out.columns - 1))
    if (picture === drawn) return
    drawn = picture
    out.write(`${ERASE_LINE}${picture}`)
  }
  const timer = setInterval(draw, REFRESH_MS)
  return {
    note(line) {
      out.write(`${ERASE_LINE}${line}\n`)
      drawn = ''
      draw()
    },
    end() {
      clearInterval(timer)
      out.write(ERASE_LINE)
    },
  }
}

/** All that is to know in one line. */
export function statusLine(collector: Collector, store: Store, now = Date.now()): string {
  const { attempts, messages, lastDataAt } = collector.metrics()
  const { buffered, written, dropped } = store.metrics()
  const last =
    lastDataAt === undefined ? 'no data yet' : `last data ${Math.round((now - lastDataAt) / 1000)} s ago`
  const parts = [
    `${collector.name}: ${describeState(collector.state)}`,
    `${attempts} attempts`,
    `${messages} messages`,
    `${written} written`,
    `${buffered} waiting`,
    `${dropped} dropped`,
    last,
  ]
  if (collector instanceof LightningCollector) parts.push(stormLine(collector, now))
  return parts.join(' | ')
}

function stormLine(collector: LightningCollector, now: number): string {
  const { strokesPerMinute, nearestKm, approachKmPerHour } = collector.report(now)
  const nearest = nearestKm === undefined ? '' : `, nearest ${nearestKm.toFixed(1)} km`
  const moves =
    approachKmPerHour === undefined ? '' : `, approaching at ${Math.round(approachKmPerHour)} km/h`
  return `${strokesPerMinute.toFixed(1)} strokes/min${nearest}${moves}`
}

function describeState(state: CollectorState): string {
  switch (state.state) {
    case 'waiting':
      return `waiting ${Math.ceil(state.retryInMs / 1000)} s`
    case 'refused':
      return `refused: ${state.why}`
    default:
      return state.state
  }
}
