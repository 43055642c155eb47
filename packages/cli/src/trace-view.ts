import { span, type Timeline } from './trace-times.ts'

const WIDTH = 40

/** The way as lines: where each part lies between the call and the end, as a bar, and how long it took. */
export function drawTimeline({ stages, missing }: Timeline): string {
  const end = Math.max(1, ...stages.map(({ start, length }) => start + length))
  const names = Math.max(0, ...stages.map(({ name }) => name.length))
  const lines = stages.map(({ name, start, length }) => {
    const from = Math.min(WIDTH - 1, Math.floor((start / end) * WIDTH))
    const size = Math.min(WIDTH - from, Math.max(1, Math.round((length / end) * WIDTH)))
    const bar = `${' '.repeat(from)}${'█'.repeat(size)}`.padEnd(WIDTH)
    return `  ${name.padEnd(names)}  │${bar}│ ${span(length).padStart(10)}`
  })
  return [...lines, ...missing.map((what) => `  missing: ${what}`)].join('\n')
}
