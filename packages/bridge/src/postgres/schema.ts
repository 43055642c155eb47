import { numberOf } from '../engine/rows.ts'
import { EngineUnsuitableError } from '../errors.ts'
import type { Sql } from './sql.ts'

/** The layout below; a database of a later one is refused. */
const VERSION = 1

/** Of our migrations, among the advisory locks of a database. */
const LOCK = 1_885_958_259

/** Topics and ids may be longer than an index takes: their SHA-256 stands for them. */
const TABLES = `
CREATE TABLE layout (version integer NOT NULL);
INSERT INTO layout VALUES (${VERSION});
CREATE TABLE log (last bigint NOT NULL, trimmed bigint NOT NULL);
INSERT INTO log VALUES (0, 0);
CREATE TABLE messages (
  seq bigint PRIMARY KEY,
  topic text NOT NULL,
  payload bytea NOT NULL,
  qos smallint NOT NULL,
  retain boolean NOT NULL,
  properties text,
  received_at bigint NOT NULL,
  unique_id text,
  unique_digest bytea
);
CREATE UNIQUE INDEX messages_unique ON messages (unique_digest) WHERE unique_digest IS NOT NULL;
CREATE TABLE topics (digest bytea PRIMARY KEY, seq bigint NOT NULL);
CREATE INDEX topics_seq ON topics (seq);
CREATE TABLE appends (
  session text NOT NULL,
  batch uuid NOT NULL,
  stored integer NOT NULL,
  PRIMARY KEY (session, batch)
);
CREATE TABLE epochs (last bigint NOT NULL);
INSERT INTO epochs VALUES (0);
CREATE TABLE sessions (
  name text PRIMARY KEY,
  kind text NOT NULL,
  epoch bigint NOT NULL,
  owner text,
  until bigint NOT NULL
);
CREATE TABLE session_records (
  session text NOT NULL,
  key text NOT NULL,
  value bytea NOT NULL,
  command_id text,
  PRIMARY KEY (session, key)
);
CREATE TABLE hooks (
  id text PRIMARY KEY,
  filter text NOT NULL,
  url text NOT NULL,
  secret text NOT NULL,
  owner text NOT NULL,
  created_at bigint NOT NULL,
  cursor bigint NOT NULL,
  failures integer NOT NULL DEFAULT 0,
  next_at bigint NOT NULL DEFAULT 0
);
CREATE TABLE dead_letters (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hook_id text NOT NULL,
  cursor bigint NOT NULL,
  topic text NOT NULL,
  reason text NOT NULL,
  at bigint NOT NULL
);
CREATE INDEX dead_letters_of ON dead_letters (hook_id, id);
`

/** Makes the schema and its tables where there are none; several processes may do so at once. A connection over
 *  which this fails is to be closed: it may hold the lock.
 *  @throws EngineUnsuitableError for a later layout */
export async function migrate(sql: Sql, schema: string): Promise<void> {
  if ((await versionOf(sql, schema)) === VERSION) return
  // Not within the transaction: one that had begun before would not know what somebody else has made meanwhile.
  await sql.run('SELECT pg_advisory_lock($1, hashtext($2))', LOCK, schema)
  const version = await versionOf(sql, schema)
  if (version > VERSION) {
    throw new EngineUnsuitableError(
      `the database: its schema ${schema} has layout ${version}; this program knows up to ${VERSION}: use a newer one`,
    )
  }
  if (version === 0) await create(sql, schema)
  await sql.run('SELECT pg_advisory_unlock($1, hashtext($2))', LOCK, schema)
}

/** A schema that somebody has made for us needs no right to make one. */
async function create(sql: Sql, schema: string): Promise<void> {
  const there = await sql.get('SELECT 1 FROM pg_namespace WHERE nspname = $1', schema)
  const made = there === undefined ? `CREATE SCHEMA "${schema}";` : ''
  await sql.batch(`BEGIN; ${made} ${TABLES} COMMIT`)
}

async function versionOf(sql: Sql, schema: string): Promise<number> {
  const there = await sql.get(
    "SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'layout'",
    schema,
  )
  if (there === undefined) return 0
  return numberOf((await sql.get('SELECT version FROM layout'))?.['version'])
}
