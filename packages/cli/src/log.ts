import { createRequire } from 'node:module'
import type { Logger } from '@pipit/broker'
import { oneLine } from './one-line.ts'

/** What is logged: `warn` is what an operator has to know, as plain lines; `info` all that clients do, as JSON lines. */
export const LOG_LEVELS = ['error', 'warn', 'info'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** A log on stderr. */
export function logger(level: LogLevel): Logger {
  if (level === 'info') return jsonLines()
  const line = (_: object, message: string): void => {
    process.stderr.write(`pipit: ${oneLine(message)}\n`)
  }
  return { info: () => undefined, warn: level === 'warn' ? line : () => undefined, error: line }
}

/** pino is loaded only for who asks for it: it costs 20 ms at every start. */
function jsonLines(): Logger {
  const { pino, destination } = createRequire(import.meta.url)('pino') as typeof import('pino')
  const stderr = destination({ dest: 2, sync: true })
  // JSON leaves some characters as they are that terminals obey.
  const write = (line: string): void => void stderr.write(`${oneLine(line.trimEnd())}\n`)
  return pino({ level: 'info', base: null }, { write })
}
