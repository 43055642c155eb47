import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BatchWriter } from './batch.ts'
import { DATABASE_FILE, SqliteEngine } from './sqlite-engine.ts'

const IMPORT_FILE = `${DATABASE_FILE}.importing`
const RECORDS_A_COMMIT = 10_000

/** Takes the lines of an export into a new database, which gets its name when all of them are in. */
export class ImportReader {
  records = 0
  private readonly folder: string
  private readonly engine: SqliteEngine
  private readonly batch = new BatchWriter()
  private line = 0

  constructor(folder: string) {
    this.folder = folder
    this.removeFile()
    this.engine = new SqliteEngine(folder, { sync: true, file: IMPORT_FILE })
  }

  /** @throws SyntaxError naming the line and what is wrong with it */
  take(text: string): void {
    this.line++
    if (text.trim() === '') return
    try {
      const fields = new Fields(text)
      if (this.line > 1) this.record(fields)
      else if (fields.value('store') !== 'pipit' || fields.value('version') !== 1) {
        throw new SyntaxError('it is not the first line of an export: {"store":"pipit","version":1}')
      }
    } catch (error) {
      throw new SyntaxError(`line ${this.line}: ${(error as Error).message}`, { cause: error })
    }
  }

  /** @throws SyntaxError when there was nothing to read, or something points to what is not there */
  finish(): void {
    if (this.line === 0) throw new SyntaxError('there is no line to import')
    this.engine.commit([this.batch.take()])
    const { damage } = this.engine.load()
    if (damage.length > 0)
      throw new SyntaxError(`records point to what is not among them: ${damage.join('; ')}`)
    this.engine.compact()
    this.engine.close()
    rmSync(join(this.folder, `${IMPORT_FILE}.commits`))
    renameSync(join(this.folder, IMPORT_FILE), join(this.folder, DATABASE_FILE))
  }

  /** Leaves nothing behind. */
  abandon(): void {
    this.engine.close()
    this.removeFile()
  }

  private removeFile(): void {
    for (const end of ['', '-wal', '-shm', '.commits'])
      rmSync(join(this.folder, IMPORT_FILE + end), { force: true })
  }

  private record(fields: Fields): void {
    const put = RECORDS[fields.text('type')]
    if (put === undefined)
      throw new SyntaxError(`records of type ${JSON.stringify(fields.value('type'))} are unknown`)
    put(this.batch, fields)
    this.records++
    if (this.records % RECORDS_A_COMMIT === 0) this.engine.commit([this.batch.take()])
  }
}

const RECORDS: Readonly<Record<string, (batch: BatchWriter, fields: Fields) => void>> = {
  session: (batch, f) =>
    batch.putSession({
      id: f.whole('id', 1),
      clientId: f.text('clientId'),
      expiryInterval: f.whole('expiryInterval', 0, 0xffffffff),
      expiresAt: f.time('expiresAt'),
      username: f.value('username') === undefined ? undefined : f.text('username'),
    }),
  subscription: (batch, f) =>
    batch.putSubscription({
      session: f.whole('session', 1),
      topicFilter: f.text('topicFilter'),
      options: f.whole('options', 0, 255),
      identifier: f.whole('identifier', 0, 268435455),
    }),
  message: (batch, f) =>
    batch.putMessage({
      id: f.whole('id', 1),
      frame: f.bytes('frame'),
      version: f.oneOf('version', [4, 5]),
      qos: f.oneOf('qos', [0, 1, 2]),
      retain: f.truth('retain'),
      expiresAt: f.time('expiresAt'),
    }),
  reference: (batch, f) =>
    batch.putReference({
      id: f.whole('id', 1),
      session: f.whole('session', 1),
      message: f.whole('message', 1),
      qos: f.oneOf('qos', [0, 1, 2]),
      retain: f.truth('retain'),
      state: f.whole('state', 0, 3),
      packetId: f.whole('packetId', 0, 65535),
      identifiers: f.numbers('identifiers'),
      shared: f.truth('shared'),
    }),
  inbound: (batch, f) =>
    batch.putInbound({
      session: f.whole('session', 1),
      packetId: f.whole('packetId', 1, 65535),
      message: f.whole('message', 0),
    }),
  retained: (batch, f) =>
    batch.putRetained({
      topic: f.text('topic'),
      message: f.whole('message', 1),
      ...(f.value('clientId') !== undefined && { clientId: f.text('clientId') }),
      ...(f.value('username') !== undefined && { username: f.text('username') }),
    }),
  will: (batch, f) =>
    batch.putWill({
      session: f.whole('session', 1),
      at: f.time('at'),
      // An export of an earlier version has none: its wills are due at a time.
      delay: f.value('delay') === undefined ? 0 : f.whole('delay', 0, 0xffffffff),
      message: f.whole('message', 1),
    }),
}

/** The fields of one line, each checked as it is read. */
class Fields {
  private readonly fields: Readonly<Record<string, unknown>>

  constructor(text: string) {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      throw new SyntaxError('it is no object')
    this.fields = parsed as Record<string, unknown>
  }

  value(name: string): unknown {
    return this.fields[name]
  }

  text(name: string): string {
    const value = this.fields[name]
    return typeof value === 'string' ? value : this.wrong(name, 'a string')
  }

  truth(name: string): boolean {
    const value = this.fields[name]
    return typeof value === 'boolean' ? value : this.wrong(name, 'true or false')
  }

  whole(name: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.fields[name]
    const fits = Number.isInteger(value) && (value as number) >= least && (value as number) <= most
    return fits ? (value as number) : this.wrong(name, `a whole number from ${least} to ${most}`)
  }

  oneOf<T extends number>(name: string, allowed: readonly T[]): T {
    const value = this.fields[name]
    return allowed.find((each) => each === value) ?? this.wrong(name, `one of ${allowed.join(', ')}`)
  }

  /** Milliseconds since the epoch; null: never. */
  time(name: string): number {
    const value = this.fields[name]
    if (value === null) return Number.POSITIVE_INFINITY
    return typeof value === 'number' ? value : this.wrong(name, 'a time in milliseconds, or null')
  }

  bytes(name: string): Uint8Array {
    const bytes = Buffer.from(this.text(name), 'base64')
    return bytes.length > 4 && bytes[0]! >> 4 === 3 ? bytes : this.wrong(name, 'a PUBLISH packet in base64')
  }

  numbers(name: string): number[] {
    const value = this.fields[name]
    return Array.isArray(value) && value.every((each) => Number.isInteger(each))
      ? (value as number[])
      : this.wrong(name, 'a list of whole numbers')
  }

  private wrong(name: string, right: string): never {
    throw new SyntaxError(`"${name}" is ${JSON.stringify(this.fields[name]) ?? 'missing'}; it takes ${right}`)
  }
}
