import type { DatabaseSync } from 'node:sqlite'

/** The tables of the first layout, and what each later one adds; a file of a later one than these is refused. */
const LAYOUTS = [
  `
CREATE TABLE commands (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  topic TEXT NOT NULL,
  payload BLOB NOT NULL,
  qos INTEGER NOT NULL,
  retain INTEGER NOT NULL,
  properties TEXT,
  order_key TEXT,
  not_before INTEGER NOT NULL,
  expires_at INTEGER,
  owner TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  state INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  session TEXT,
  reason_code INTEGER,
  reason TEXT
);
CREATE INDEX commands_queued ON commands (not_before, seq) WHERE state = 0;
CREATE INDEX commands_expiring ON commands (expires_at) WHERE state = 0 AND expires_at IS NOT NULL;
CREATE INDEX commands_ordered ON commands (order_key, seq) WHERE order_key IS NOT NULL AND state < 2;
CREATE INDEX commands_sent ON commands (session, seq) WHERE state = 1;
CREATE INDEX commands_over ON commands (updated_at, state) WHERE state >= 2;
CREATE TABLE idempotency (
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  ids TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (owner, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_expiring ON idempotency (expires_at);
CREATE TABLE messages (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  topic TEXT NOT NULL,
  payload BLOB NOT NULL,
  qos INTEGER NOT NULL,
  retain INTEGER NOT NULL,
  properties TEXT,
  received_at INTEGER NOT NULL,
  unique_id TEXT
);
CREATE UNIQUE INDEX messages_unique ON messages (unique_id) WHERE unique_id IS NOT NULL;
CREATE TABLE topics (topic TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX topics_seq ON topics (seq);
CREATE TABLE trimmed (seq INTEGER NOT NULL);
INSERT INTO trimmed VALUES (0);
CREATE TABLE epochs (last INTEGER NOT NULL);
INSERT INTO epochs VALUES (0);
CREATE TABLE sessions (
  name TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  owner TEXT,
  until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE session_records (
  session TEXT NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  command_id TEXT,
  PRIMARY KEY (session, key)
) WITHOUT ROWID;
CREATE TABLE hooks (
  id TEXT PRIMARY KEY,
  filter TEXT NOT NULL,
  url TEXT NOT NULL,
  secret TEXT NOT NULL,
  owner TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  cursor INTEGER NOT NULL,
  failures INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hook_id TEXT NOT NULL,
  cursor INTEGER NOT NULL,
  topic TEXT NOT NULL,
  reason TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX dead_letters_of ON dead_letters (hook_id, id);
`,
  `
CREATE TABLE workers (name TEXT PRIMARY KEY, until INTEGER NOT NULL, report TEXT NOT NULL) WITHOUT ROWID;
`,
]
const VERSION = LAYOUTS.length

/** Makes the tables that are not there; several processes may do so at once.
 *  @throws Error for a file of a later layout */
export function migrate(db: DatabaseSync): void {
  if (versionOf(db) === VERSION) return
  db.exec('BEGIN IMMEDIATE')
  try {
    const version = versionOf(db)
    if (version > VERSION) {
      throw new Error(`the queue has layout ${version}; this program knows up to ${VERSION}: use a newer one`)
    }
    for (const layout of LAYOUTS.slice(version)) db.exec(layout)
    db.exec(`PRAGMA user_version = ${VERSION}`)
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
}
