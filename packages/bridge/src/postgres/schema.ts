import { numberOf } from '../engine/rows.ts'
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

/** Makes the schema and its tables where there are none; several processes may do so at once.
 *  @throws Error for a later layout */
export async function migrate(sql: Sql, schema: string): Promise<void> {
  if ((await versionOf(sql, schema)) === VERSION) return
  await sql.batch('BEGIN')
  try {
    await sql.run('SELECT pg_advisory_xact_lock($1, hashtext($2))', LOCK, schema)
    const version = await versionOf(sql, schema)
    if (version > VERSION) {
      throw new Error(
        `its schema ${schema} has layout ${version}; this program knows up to ${VERSION}: use a newer one`,
      )
    }
    if (version === 0) await create(sql, schema)
    await sql.batch('COMMIT')
  } catch (error) {
    await sql.batch('ROLLBACK').catch(() => {})
    throw error
  }
}

/** A schema that somebody has made for us needs no right to make one. */
async function create(sql: Sql, schema: string): Promise<void> {
  const there = await sql.get('SELECT to_regnamespace($1) AS name', schema)
  if (there?.['name'] === null) await sql.batch(`CREATE SCHEMA "${schema}"`)
  await sql.batch(TABLES)
}

async function versionOf(sql: Sql, schema: string): Promise<number> {
  const there = await sql.get('SELECT to_regclass($1) AS name', `${schema}.layout`)
  if (there?.['name'] === null) return 0
  return numberOf((await sql.get('SELECT version FROM layout'))?.['version'])
}
