import type { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { checkMessage, checkReference, checksum, packInflight } from './checksum.ts'
import { StorageError } from './engine.ts'

/** Format of the file. A newer one is refused; an older one is brought up to date step by step. */
export const FORMAT = 3

const TABLES = `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
  CREATE TABLE messages (id INTEGER PRIMARY KEY, flags INTEGER, expires REAL, frame BLOB, sum INTEGER);
  CREATE TABLE refs (id INTEGER PRIMARY KEY, session INTEGER, message INTEGER, flags INTEGER,
    identifiers TEXT, sum INTEGER, inflight INTEGER);
  CREATE TABLE sessions (id INTEGER PRIMARY KEY, client TEXT, expiry REAL, expires REAL, username TEXT, sum INTEGER);
  CREATE TABLE subscriptions (session INTEGER, filter TEXT, options INTEGER, identifier INTEGER, sum INTEGER,
    PRIMARY KEY (session, filter)) WITHOUT ROWID;
  CREATE TABLE inbound (session INTEGER, packet INTEGER, message INTEGER, sum INTEGER,
    PRIMARY KEY (session, packet)) WITHOUT ROWID;
  CREATE TABLE retained (topic TEXT PRIMARY KEY, message INTEGER, sum INTEGER) WITHOUT ROWID;
  CREATE TABLE wills (session INTEGER PRIMARY KEY, at REAL, delay INTEGER, message INTEGER, sum INTEGER);
  INSERT INTO meta VALUES ('format', ${FORMAT}), ('commit', 0);
`

/** Who published what is retained, made when somebody first asks for it: a version that does not know it goes on
 *  without. A row whose message is no longer the topic's is one of those that it left. */
export const SOURCES = `
  CREATE TABLE IF NOT EXISTS sources (topic TEXT PRIMARY KEY, message INTEGER, client TEXT, username TEXT, sum INTEGER)
    WITHOUT ROWID`

/** Says whether the file has the table of sources. */
export function hasSources(db: DatabaseSync): boolean {
  return (
    db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sources'").get() !== undefined
  )
}

/** Steps from one format to the next, by the format they start from. */
const MIGRATIONS: Readonly<Record<number, (db: DatabaseSync) => void>> = { 1: from1, 2: from2 }

/** Makes the tables of a new file, or brings an older one up to date.
 *  @throws StorageError NEWER_FORMAT, DAMAGED */
export function prepareSchema(db: DatabaseSync, file: string): void {
  const known = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'meta'").get()
  if (known === undefined) {
    db.exec(`BEGIN; ${TABLES} COMMIT;`)
    return
  }
  const format = Number(db.prepare("SELECT value FROM meta WHERE key = 'format'").get()?.['value'])
  if (!Number.isInteger(format)) throw new StorageError('DAMAGED', `${file} does not say its format`)
  if (format > FORMAT) {
    throw new StorageError(
      'NEWER_FORMAT',
      `${file} has format ${format}; this version of Pipit reads up to ${FORMAT}: start a newer one`,
    )
  }
  for (let from = format; from < FORMAT; from++) {
    const migrate = MIGRATIONS[from]
    if (migrate === undefined)
      throw new StorageError('DAMAGED', `${file} has format ${from}, which never was`)
    db.exec('BEGIN')
    try {
      migrate(db)
      db.exec(`UPDATE meta SET value = ${from + 1} WHERE key = 'format'; COMMIT`)
    } catch (error) {
      db.exec('ROLLBACK')
      throw error
    }
  }
}

/** Format 1 had the fields in flight without a check, and sums over JSON. A row that was damaged then
 *  gets a sum that is wrong now as well. */
function from1(db: DatabaseSync): void {
  const json = (...fields: unknown[]): number => crc32(JSON.stringify(fields))
  const sums = (...fields: (number | string | null)[]): number => checksum(...fields)
  db.function('sum1', { varargs: true }, (...fields) => json(...fields))
  db.function('sum2', { varargs: true }, (...fields) => sums(...(fields as (number | string | null)[])))
  db.function('crc', (bytes, start) => crc32(bytes as Uint8Array, start as number))
  db.function('message2', { varargs: true }, (...fields) =>
    checkMessage(...(fields as Parameters<typeof checkMessage>)),
  )
  db.function('pack', (id, state, packet) => packInflight(id as number, state as number, packet as number))
  const resum = (table: string, fields: string): void =>
    db.exec(
      `UPDATE ${table} SET sum = CASE sum WHEN sum1(${fields}) THEN sum2(${fields}) ELSE ~sum2(${fields}) END`,
    )
  db.exec(`UPDATE messages SET sum = CASE sum WHEN crc(frame, sum1(id, flags, expires))
    THEN message2(id, flags, expires, frame) ELSE ~message2(id, flags, expires, frame) END`)
  db.function('ref2', { varargs: true }, (...fields) =>
    checkReference(...(fields as Parameters<typeof checkReference>)),
  )
  const reference = 'id, session, message, flags, identifiers'
  db.exec(
    `UPDATE refs SET sum = CASE sum WHEN sum1(${reference}) THEN ref2(${reference}) ELSE ~ref2(${reference}) END`,
  )
  db.exec(`ALTER TABLE refs ADD COLUMN inflight INTEGER; UPDATE refs SET inflight = pack(id, state, packet);
    ALTER TABLE refs DROP COLUMN state; ALTER TABLE refs DROP COLUMN packet`)
  // The time a session ends at was not in its sum.
  db.exec(`UPDATE sessions SET sum = CASE sum WHEN sum1(id, client, expiry, username)
    THEN sum2(id, client, expiry, expires, username) ELSE ~sum2(id, client, expiry, expires, username) END`)
  resum('subscriptions', 'session, filter, options, identifier')
  resum('inbound', 'session, packet, message')
  resum('retained', 'topic, message')
  resum('wills', 'session, at, message')
}

/** Format 2 had no wills of clients that are connected: those it has were due at a time. */
function from2(db: DatabaseSync): void {
  const sums = (...fields: (number | string | null)[]): number => checksum(...fields)
  db.function('sum2', { varargs: true }, (...fields) => sums(...(fields as (number | string | null)[])))
  db.exec(`ALTER TABLE wills RENAME TO wills2;
    CREATE TABLE wills (session INTEGER PRIMARY KEY, at REAL, delay INTEGER, message INTEGER, sum INTEGER);
    INSERT INTO wills SELECT session, at, 0, message,
      CASE sum WHEN sum2(session, at, message) THEN sum2(session, at, 0, message)
      ELSE ~sum2(session, at, 0, message) END FROM wills2;
    DROP TABLE wills2`)
}
