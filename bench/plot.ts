// Draws what bench/broker measured: `npm run bench -- plot FIGURES.json FILE.svg`, from its --json, one line a scenario.
//
// A bar is messages per broker CPU second as a multiple of the better Mosquitto's, on a logarithmic scale.
import { readFileSync, writeFileSync } from 'node:fs'

interface Figures {
  readonly scenario: string
  readonly machine: string
  /** Null: that broker could not do it. */
  readonly medians: Readonly<Record<string, number | null>>
}

interface Bar {
  readonly name: string
  readonly ratio: number
}

const WIDTH = 720
const LEFT = 130
const RIGHT = 60
const ROW = 34
const TOP = 64
const COLOURS: Readonly<Record<string, string>> = { pipit: '#0b7a75', aedes: '#b5a642' }

const [from, to] = process.argv.slice(2)
if (from === undefined || to === undefined) {
  console.error('npm run bench -- plot FIGURES.json FILE.svg')
  process.exit(1)
}
const lines = readFileSync(from, 'utf8').trim().split('\n')
writeFileSync(to, drawn(lines.map((line) => JSON.parse(line) as Figures)))

/** The plot as SVG. */
function drawn(all: readonly Figures[]): string {
  const rows = all.map(({ scenario, medians }) => ({ scenario, bars: barsOf(medians) }))
  const ratios = rows.flatMap(({ bars }) => bars.map(({ ratio }) => ratio))
  const [least, most] = [Math.min(0.1, ...ratios), Math.max(10, ...ratios)]
  const x = (ratio: number): number => {
    const share = (Math.log10(ratio) - Math.log10(least)) / (Math.log10(most) - Math.log10(least))
    return LEFT + share * (WIDTH - LEFT - RIGHT)
  }
  const height = TOP + rows.length * ROW + 30
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    '<title>Messages per broker CPU second beside Mosquitto</title>',
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="16" y="22" font-size="15" font-weight="bold">Messages per broker CPU second, Mosquitto = 1</text>`,
    `<text x="16" y="40" fill="#555">${escaped(all[0]?.machine ?? '')}</text>`,
    ...grid(least, most, x, height),
    ...rows.flatMap(({ scenario, bars }, i) => rowOf(scenario, bars, TOP + i * ROW, x)),
    ...legend(),
    '</svg>',
  ]
  return `${parts.join('\n')}\n`
}

/** What is drawn of a scenario, each beside the better Mosquitto. */
function barsOf(medians: Figures['medians']): Bar[] {
  const best = Math.max(
    ...Object.entries(medians).flatMap(([name, rate]) => (name.startsWith('mosquitto') ? [rate ?? 0] : [])),
  )
  return Object.keys(COLOURS).flatMap((name) => {
    const rate = medians[name]
    return rate === undefined || rate === null ? [] : [{ name, ratio: rate / best }]
  })
}

function grid(least: number, most: number, x: (ratio: number) => number, height: number): string[] {
  const parts: string[] = []
  for (let power = Math.ceil(Math.log10(least)); 10 ** power <= most; power++) {
    const at = x(10 ** power).toFixed(1)
    const strong = power === 0
    parts.push(
      `<line x1="${at}" x2="${at}" y1="${TOP - 8}" y2="${height - 26}" stroke="${strong ? '#333' : '#ddd'}"/>`,
      `<text x="${at}" y="${height - 10}" text-anchor="middle" fill="#555">${strong ? 'Mosquitto' : `${10 ** power}×`}</text>`,
    )
  }
  return parts
}

function rowOf(scenario: string, bars: readonly Bar[], y: number, x: (ratio: number) => number): string[] {
  const parts = [`<text x="${LEFT - 8}" y="${y + 17}" text-anchor="end">${escaped(scenario)}</text>`]
  for (const [i, { name, ratio }] of bars.entries()) {
    const [from, to] = ratio < 1 ? [x(ratio), x(1)] : [x(1), x(ratio)]
    const top = y + 2 + i * 13
    parts.push(
      `<rect x="${from.toFixed(1)}" y="${top}" width="${(to - from).toFixed(1)}" height="11" fill="${COLOURS[name]}"/>`,
      `<text x="${(Math.max(to, x(1)) + 4).toFixed(1)}" y="${top + 10}" font-size="10">${shown(ratio)}</text>`,
    )
  }
  return parts
}

function legend(): string[] {
  return Object.entries(COLOURS).flatMap(([name, colour], i) => {
    const x = WIDTH - 150 + i * 70
    return [
      `<rect x="${x}" y="12" width="11" height="11" fill="${colour}"/>`,
      `<text x="${x + 15}" y="22">${name}</text>`,
    ]
  })
}

function shown(ratio: number): string {
  return ratio.toFixed(ratio < 0.1 ? 2 : ratio < 10 ? 1 : 0)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
