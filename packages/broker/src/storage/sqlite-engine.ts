import { closeSync, existsSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { applyBatch } from './batch.ts'
import { checkMessage, checkReference, checksum, packInflight } from './checksum.ts'
import { type StorageEngine, storageError } from './engine.ts'
import type {
  InboundRecord,
  MessageRecord,
  RecordSink,
  ReferenceRecord,
  RetainedRecord,
  SessionRecord,
  StoredState,
  SubscriptionRecord,
  WillRecord,
} from './records.ts'
import { readState } from './sqlite-reader.ts'
import { hasSources, prepareSchema, SOURCES } from './sqlite-schema.ts'

export const DATABASE_FILE = 'broker.db'
/** Number of the last commit, beside the database: tells when the database has lost some. */
export const MARKER_FILE = 'broker.commits'

/** The write-ahead log is moved into the database file when about this many bytes have gathered: few,
 *  so that an acknowledgement never waits long behind it. */
const CHECKPOINT_BYTES = 4194304
/** What it is cut back to after a time of large commits. */
const LOG_LIMIT = 16777216
/** The file gives room back when it holds this many unused pages and they are a fourth of it. */
const UNUSED_PAGES = 1024
/** Pages given back in one step, between commits. */
const VACUUM_STEP = 256

export interface SqliteEngineOptions {
  /** Sync each commit to the disk; false leaves it to the operating system. */
  readonly sync: boolean
  /** Name of the database in its folder; default `broker.db`. */
  readonly file?: string
}

/** Keeps records in SQLite: WAL, append-only tables by rowid, one transaction for many batches.
 *  What is put and deleted within one transaction never touches the file. */
export class SqliteEngine implements StorageEngine, RecordSink {
  private readonly db: DatabaseSync
  private readonly marker: number
  private readonly statements: Statements
  /** Undefined: the file has none. */
  private sources: ReturnType<typeof prepareSources> | undefined
  /** The table of sources may have been made by what was taken back. */
  private hasRolledBack = false
  private commits: number
  // Messages and references of the transaction under way.
  private readonly newMessages = new Map<number, MessageRecord>()
  private readonly newReferences = new Map<number, ReferenceRecord>()
  /** State and Packet Identifier of older references: state + 4 * identifier. */
  private readonly inFlight = new Map<number, number>()
  private deadMessages: Run[] = []
  private deadReferences: Run[] = []
  private logBytes = 0

  /** @throws StorageError LOCKED, NEWER_FORMAT, DAMAGED… */
  constructor(folder: string, options: SqliteEngineOptions) {
    mkdirSync(folder, { recursive: true })
    const { sync, file = DATABASE_FILE } = options
    this.db = openDatabase(join(folder, file), sync)
    try {
      const marker = join(folder, file === DATABASE_FILE ? MARKER_FILE : `${file}.commits`)
      this.marker = openSync(marker, existsSync(marker) ? 'r+' : 'w+')
      this.commits = Number(this.db.prepare("SELECT value FROM meta WHERE key = 'commit'").get()?.['value'])
      this.statements = prepareStatements(this.db)
      this.sources = hasSources(this.db) ? prepareSources(this.db) : undefined
    } catch (error) {
      this.db.close()
      throw storageError(error)
    }
  }

  /** How many commits the marker has seen and the database has not: acknowledged state that is gone. */
  get lostCommits(): number {
    const bytes = Buffer.alloc(12)
    if (readSync(this.marker, bytes, 0, 12, 0) < 12) return 0
    if (crc32(bytes.subarray(0, 8)) !== bytes.readUInt32LE(8)) return 0
    return Math.max(0, bytes.readDoubleLE(0) - this.commits)
  }

  /** What is wrong with the structure of the file; empty when nothing is. */
  check(): string[] {
    try {
      const rows = this.db.prepare('PRAGMA quick_check(20)').all()
      const found = rows.map((row) => String(row['quick_check'] ?? row['integrity_check']))
      return found.filter((line) => line !== 'ok')
    } catch (error) {
      return [(error as Error).message]
    }
  }

  load(): StoredState {
    return readState(this.db)
  }

  commit(batches: readonly Uint8Array[]): void {
    const { db } = this
    this.newMessages.clear()
    this.newReferences.clear()
    this.inFlight.clear()
    this.deadMessages = []
    this.deadReferences = []
    let bytes = 0
    try {
      if (this.hasRolledBack) this.sources = hasSources(db) ? prepareSources(db) : undefined
      this.hasRolledBack = false
      db.exec('BEGIN IMMEDIATE')
      for (const batch of batches) {
        applyBatch(batch, this)
        bytes += batch.length
      }
      this.writeLog()
      this.statements.setCommit.run(this.commits + 1)
      db.exec('COMMIT')
    } catch (error) {
      if (db.isOpen && db.isTransaction) db.exec('ROLLBACK')
      this.hasRolledBack = true
      throw storageError(error)
    }
    // They point into the batches, whose memory is used again.
    this.newMessages.clear()
    this.newReferences.clear()
    this.logBytes += 16384 + bytes * 2
    this.commits++
    this.mark()
  }

  maintain(): boolean {
    if (this.logBytes >= CHECKPOINT_BYTES) {
      this.db.exec('PRAGMA wal_checkpoint(PASSIVE)')
      this.logBytes = 0
    }
    const { unused, pages } = this.usage()
    if (unused < UNUSED_PAGES || unused * 4 < pages) return false
    this.db.exec(`PRAGMA incremental_vacuum(${VACUUM_STEP})`)
    this.logBytes += VACUUM_STEP * 4096
    return true
  }

  /** Pages of the file, and how many of them hold nothing. */
  usage(): { pages: number; unused: number } {
    const { pageCount, unusedPages } = this.statements
    return {
      pages: Number(pageCount.get()?.['page_count']),
      unused: Number(unusedPages.get()?.['freelist_count']),
    }
  }

  /** Rewrites the file without the room that deleted records left. */
  compact(): void {
    try {
      this.db.exec('VACUUM')
      this.db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch (error) {
      throw storageError(error)
    }
  }

  /** Sets the marker to what the database has: lost commits have been told. */
  settleMarker(): void {
    this.mark()
  }

  close(): void {
    if (!this.db.isOpen) return
    this.db.close()
    closeSync(this.marker)
  }

  putMessage(record: MessageRecord): void {
    this.newMessages.set(record.id, record)
  }

  deleteMessage(id: number, last = id): void {
    // On the disk too: a commit that failed, and is tried again with more behind it, may have got there.
    forget(this.newMessages, id, last)
    this.deadMessages.push({ first: id, last })
  }

  putReference(record: ReferenceRecord): void {
    this.newReferences.set(record.id, record)
  }

  updateReference(id: number, state: number, packetId: number): void {
    const known = this.newReferences.get(id)
    if (known !== undefined) this.newReferences.set(id, { ...known, state, packetId })
    else this.inFlight.set(id, state + 4 * packetId)
  }

  deleteReference(id: number, last = id): void {
    forget(this.newReferences, id, last)
    forget(this.inFlight, id, last)
    this.deadReferences.push({ first: id, last })
  }

  putSession(record: SessionRecord): void {
    const { id, clientId, expiryInterval, expiresAt } = record
    const username = record.username ?? null
    const sum = checksum(id, clientId, expiryInterval, expiresAt, username)
    this.statements.putSession.run(id, clientId, expiryInterval, expiresAt, username, sum)
  }

  deleteSession(id: number): void {
    for (const statement of this.statements.deleteSession) statement.run(id)
  }

  putSubscription({ session, topicFilter, options, identifier }: SubscriptionRecord): void {
    const sum = checksum(session, topicFilter, options, identifier)
    this.statements.putSubscription.run(session, topicFilter, options, identifier, sum)
  }

  deleteSubscription(session: number, topicFilter: string): void {
    this.statements.deleteSubscription.run(session, topicFilter)
  }

  putInbound({ session, packetId, message }: InboundRecord): void {
    this.statements.putInbound.run(session, packetId, message, checksum(session, packetId, message))
  }

  deleteInbound(session: number, packetId: number): void {
    this.statements.deleteInbound.run(session, packetId)
  }

  putRetained({ topic, message, clientId, username }: RetainedRecord): void {
    this.statements.putRetained.run(topic, message, checksum(topic, message))
    if (clientId === undefined) return void this.sources?.remove.run(topic)
    this.sources ??= prepareSources(this.db)
    const name = username ?? null
    this.sources.put.run(topic, message, clientId, name, checksum(topic, message, clientId, name))
  }

  deleteRetained(topic: string): void {
    this.statements.deleteRetained.run(topic)
    this.sources?.remove.run(topic)
  }

  putWill({ session, at, delay, message }: WillRecord): void {
    this.statements.putWill.run(session, at, delay, message, checksum(session, at, delay, message))
  }

  deleteWill(session: number): void {
    this.statements.deleteWill.run(session)
  }

  private writeLog(): void {
    const { putMessage, putReference, setInflight, deleteMessages, deleteReferences } = this.statements
    deleteRuns(deleteReferences, this.deadReferences)
    deleteRuns(deleteMessages, this.deadMessages)
    for (const [id, each] of this.inFlight) setInflight.run(packInflight(id, each & 3, each >> 2), id)
    for (const { id, version, qos, retain, expiresAt, frame } of this.newMessages.values()) {
      const flags = version | (qos << 3) | (retain ? 32 : 0)
      putMessage.run(id, flags, expiresAt, frame, checkMessage(id, flags, expiresAt, frame))
    }
    for (const r of this.newReferences.values()) {
      const { id, session, message, state, packetId } = r
      const flags = r.qos | (r.retain ? 4 : 0) | (r.shared ? 8 : 0)
      const identifiers = r.identifiers.length === 0 ? null : JSON.stringify(r.identifiers)
      const sum = checkReference(id, session, message, flags, identifiers)
      putReference.run(id, session, message, flags, identifiers, sum, packInflight(id, state, packetId))
    }
  }

  private mark(): void {
    const bytes = Buffer.alloc(12)
    bytes.writeDoubleLE(this.commits, 0)
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 8)), 8)
    try {
      writeSync(this.marker, bytes, 0, 12, 0)
    } catch {
      // A full disk: the marker stays behind, which only means that it tells less.
    }
  }
}

interface Run {
  readonly first: number
  readonly last: number
}

/** What a batch says is gone is a run of identifiers, and what runs of many batches say joins up again. */
function deleteRuns(statement: StatementSync, runs: Run[]): void {
  if (runs.length === 0) return
  runs.sort((a, b) => a.first - b.first)
  let { first, last } = runs[0]!
  for (const run of runs) {
    if (run.first > last + 1) {
      statement.run(first, last)
      first = run.first
    }
    last = Math.max(last, run.last)
  }
  statement.run(first, last)
}

function forget(records: Map<number, unknown>, first: number, last: number): void {
  if (records.size === 0) return
  for (let id = first; id <= last; id++) records.delete(id)
}

/** Who published what; the table is made with the first of them. */
function prepareSources(db: DatabaseSync) {
  db.exec(SOURCES)
  return {
    put: db.prepare('INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?)'),
    remove: db.prepare('DELETE FROM sources WHERE topic = ?'),
  }
}

type Statements = ReturnType<typeof prepareStatements>

function prepareStatements(db: DatabaseSync) {
  return {
    setCommit: db.prepare("UPDATE meta SET value = ? WHERE key = 'commit'"),
    pageCount: db.prepare('PRAGMA page_count'),
    unusedPages: db.prepare('PRAGMA freelist_count'),
    putMessage: db.prepare('INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?)'),
    deleteMessages: db.prepare('DELETE FROM messages WHERE id BETWEEN ? AND ?'),
    putReference: db.prepare('INSERT OR REPLACE INTO refs VALUES (?, ?, ?, ?, ?, ?, ?)'),
    setInflight: db.prepare('UPDATE refs SET inflight = ? WHERE id = ?'),
    deleteReferences: db.prepare('DELETE FROM refs WHERE id BETWEEN ? AND ?'),
    putSession: db.prepare('INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?)'),
    deleteSession: [
      db.prepare('DELETE FROM sessions WHERE id = ?'),
      db.prepare('DELETE FROM subscriptions WHERE session = ?'),
      db.prepare('DELETE FROM inbound WHERE session = ?'),
      db.prepare('DELETE FROM wills WHERE session = ?'),
    ],
    putSubscription: db.prepare('INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?, ?, ?)'),
    deleteSubscription: db.prepare('DELETE FROM subscriptions WHERE session = ? AND filter = ?'),
    putInbound: db.prepare('INSERT OR REPLACE INTO inbound VALUES (?, ?, ?, ?)'),
    deleteInbound: db.prepare('DELETE FROM inbound WHERE session = ? AND packet = ?'),
    putRetained: db.prepare('INSERT OR REPLACE INTO retained VALUES (?, ?, ?)'),
    deleteRetained: db.prepare('DELETE FROM retained WHERE topic = ?'),
    putWill: db.prepare('INSERT OR REPLACE INTO wills VALUES (?, ?, ?, ?, ?)'),
    deleteWill: db.prepare('DELETE FROM wills WHERE session = ?'),
  }
}

function openDatabase(file: string, sync: boolean): DatabaseSync {
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(file, { timeout: 2000 })
    // Exclusive: one connection only, which then needs no shared memory.
    db.exec('PRAGMA locking_mode = EXCLUSIVE')
    // Only in a new file: it writes even where nothing changes, which a full disk would not let it.
    if (db.prepare('PRAGMA auto_vacuum').get()?.['auto_vacuum'] !== 2)
      db.exec('PRAGMA auto_vacuum = INCREMENTAL')
    db.exec('PRAGMA journal_mode = WAL')
    db.exec(`PRAGMA synchronous = ${sync ? 'FULL' : 'OFF'}; PRAGMA wal_autocheckpoint = 0;
      PRAGMA journal_size_limit = ${LOG_LIMIT}; PRAGMA cache_size = -16384`)
    prepareSchema(db, file)
    return db
  } catch (error) {
    if (db?.isOpen) db.close()
    throw storageError(error)
  }
}
