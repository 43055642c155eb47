import type { DatabaseSync } from 'node:sqlite'

/** Each entry takes the database from the version of its index to the next one. Never change one that was
 *  released: append. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE nodes (
     id INTEGER PRIMARY KEY,
     long_name TEXT, short_name TEXT, hardware_model INTEGER, role INTEGER, firmware_version TEXT,
     region INTEGER, modem_preset INTEGER,
     battery_level INTEGER, voltage REAL, channel_utilization REAL, air_util_tx REAL, uptime_seconds INTEGER,
     temperature REAL, relative_humidity REAL, barometric_pressure REAL,
     gateway TEXT, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE neighbours (
     node_id INTEGER NOT NULL, neighbour_id INTEGER NOT NULL, snr REAL NOT NULL,
     first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, reports INTEGER NOT NULL,
     PRIMARY KEY (node_id, neighbour_id)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE neighbour_history (
     id INTEGER PRIMARY KEY, node_id INTEGER NOT NULL, neighbour_id INTEGER NOT NULL,
     snr REAL NOT NULL, at INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE positions (
     id INTEGER PRIMARY KEY, node_id INTEGER NOT NULL, at INTEGER NOT NULL,
     latitude REAL NOT NULL, longitude REAL NOT NULL, altitude REAL, precision_bits INTEGER
   ) STRICT;
   CREATE TABLE strokes (
     id INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, latitude REAL NOT NULL, longitude REAL NOT NULL,
     status INTEGER, region INTEGER, distance_km REAL NOT NULL, bearing REAL NOT NULL
   ) STRICT;
   CREATE TABLE connection_events (
     id INTEGER PRIMARY KEY, collector TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT
   ) STRICT;
   CREATE TABLE collectors (
     name TEXT PRIMARY KEY, broker TEXT NOT NULL, state TEXT NOT NULL, detail TEXT, attempts INTEGER NOT NULL,
     messages INTEGER NOT NULL, last_data_at INTEGER, updated_at INTEGER NOT NULL, pid INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  // Asked for by time and by node; retention goes by the row number, which grows with time.
  `CREATE INDEX positions_by_node ON positions (node_id, at);
   CREATE INDEX strokes_by_time ON strokes (time_ns);`,
]

/** The version that this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.length

/** Brings a database to the present schema, in one transaction.
 *  @throws Error when a newer program wrote it */
export function migrate(db: DatabaseSync, migrations: readonly string[] = MIGRATIONS): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
  if (version > migrations.length) {
    throw new Error(
      `the database has schema ${version}, written by a newer program; this one knows ${migrations.length}`,
    )
  }
  if (version === migrations.length) return
  db.exec('BEGIN IMMEDIATE')
  try {
    for (const step of migrations.slice(version)) db.exec(step)
    db.exec(`PRAGMA user_version = ${migrations.length}`)
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}
