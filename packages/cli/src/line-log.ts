import { createWriteStream, openSync, type WriteStream } from 'node:fs'
import type { Broker, LogConfiguration, Logger } from '@pipit/broker'
import { CommandError } from './faults.ts'
import { oneLine } from './one-line.ts'
import { strftime } from './strftime.ts'
import { Syslog } from './syslog.ts'

const LEVELS = ['none', 'error', 'warn', 'info'] as const

/** Of the topics below $SYS/broker/log, as Mosquitto names them. */
const TOPICS = { error: 'E', warn: 'W', info: 'N' } as const

/** A log of lines for people, as the configuration's `log` says: on stderr, stdout, in a file, in
 *  the system's log and on topics. */
export class LineLog implements Logger {
  /** Whose topics are used. */
  broker: Broker | undefined = undefined
  private configuration: LogConfiguration
  private file: WriteStream | undefined = undefined
  private syslog: Syslog | undefined = undefined

  /** @throws CommandError when the file cannot be opened, or there is no way to the system's log */
  constructor(configuration: LogConfiguration) {
    this.configuration = configuration
    this.syslog = syslogFor(configuration)
    this.openFile()
  }

  /** Takes a new configuration, and opens the file again: who moves it away gets a new one.
   *  @throws CommandError when the file cannot be opened, or there is no way to the system's log; then all goes on as
   *  before */
  configure(configuration: LogConfiguration): void {
    const before = this.configuration
    const isSame =
      configuration.syslog === before.syslog && configuration.syslogFacility === before.syslogFacility
    const syslog = isSame ? this.syslog : syslogFor(configuration)
    this.configuration = configuration
    try {
      this.openFile()
    } catch (error) {
      this.configuration = before
      throw error
    }
    if (!isSame) void this.syslog?.close()
    this.syslog = syslog
  }

  info(data: object, message: string): void {
    const isConnection = message === 'connected' || message === 'disconnected'
    if (!isConnection || this.configuration.connections !== false) this.write('info', message, fieldsOf(data))
  }

  warn(_: object, message: string): void {
    this.write('warn', message, '')
  }

  error(data: object, message: string): void {
    const { err } = data as { err?: unknown }
    this.write('error', message, err instanceof Error ? `: ${err.message}` : '')
  }

  /** Settles when the file, and the system's log, have everything. */
  async close(): Promise<void> {
    const { file, syslog } = this
    this.file = undefined
    this.syslog = undefined
    await syslog?.close()
    if (file !== undefined) await new Promise<void>((resolve) => file.end(() => resolve()))
  }

  private write(level: 'error' | 'warn' | 'info', message: string, fields: string): void {
    const { level: lowest = 'info', stderr = true, stdout = false, topic = false } = this.configuration
    if (LEVELS.indexOf(level) > LEVELS.indexOf(lowest)) return
    const text = oneLine(message + fields)
    const line = `${this.timestamp()}${text}\n`
    if (stderr) process.stderr.write(line)
    if (stdout) process.stdout.write(line)
    this.file?.write(line)
    // It has times of its own.
    this.syslog?.write(level, text)
    if (topic) this.broker?.publish(`$SYS/broker/log/${TOPICS[level]}`, text)
  }

  private timestamp(): string {
    const { timestamp = true, timestampFormat } = this.configuration
    if (!timestamp) return ''
    const date = new Date()
    if (timestampFormat === undefined) return `${Math.floor(date.getTime() / 1000)}: `
    const moment = { date, nanoseconds: date.getMilliseconds() * 1_000_000 }
    const text = timestampFormat.replaceAll(/%(.)/g, (_, character: string) =>
      character === '%' ? '%' : strftime(character, moment),
    )
    return `${text}: `
  }

  private openFile(): void {
    const { file: path } = this.configuration
    const before = this.file
    if (path === undefined) this.file = undefined
    else {
      const file = createWriteStream(path, { fd: opened(path) })
      file.on('error', (error) => {
        if (this.file !== file) return
        this.file = undefined
        process.stderr.write(`pipit broker: ${path}: ${error.message}\n`)
      })
      this.file = file
    }
    before?.end()
  }
}

function syslogFor({ syslog, syslogFacility }: LogConfiguration): Syslog | undefined {
  return syslog === true ? new Syslog(syslogFacility) : undefined
}

function opened(path: string): number {
  try {
    return openSync(path, 'a', 0o640)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT' ? 'its folder is not there' : code === 'EACCES' ? 'not for this user' : message
    throw new CommandError(`the log file ${path} cannot be opened: ${why}`)
  }
}

/** `clientId="c" from="127.0.0.1:1"`. */
function fieldsOf(data: object): string {
  return Object.entries(data)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${JSON.stringify(value)}`)
    .join('')
}
