import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { NeighbourRecord, NodeRecord, StoreRecord } from './records.ts'
import { migrate } from './schema.ts'

/** What is kept; absent: all of it. */
export interface Retention {
  /** What is older goes. */
  readonly maximumAgeMs?: number
  /** When the database holds more than this, the oldest goes. */
  readonly maximumBytes?: number
}

const NODE_COLUMNS = {
  longName: 'long_name',
  shortName: 'short_name',
  hardwareModel: 'hardware_model',
  role: 'role',
  firmwareVersion: 'firmware_version',
  region: 'region',
  modemPreset: 'modem_preset',
  batteryLevel: 'battery_level',
  voltage: 'voltage',
  channelUtilization: 'channel_utilization',
  airUtilTx: 'air_util_tx',
  uptimeSeconds: 'uptime_seconds',
  temperature: 'temperature',
  relativeHumidity: 'relative_humidity',
  barometricPressure: 'barometric_pressure',
  gateway: 'gateway',
} as const satisfies Partial<Record<keyof NodeRecord, string>>

const NODE_KEYS = Object.keys(NODE_COLUMNS) as (keyof typeof NODE_COLUMNS)[]
const NODE_NAMES = Object.values(NODE_COLUMNS)

const PUT_NODE = `INSERT INTO nodes (id, first_seen, last_seen, ${NODE_NAMES.join(', ')})
  VALUES (?, ?, ?${', ?'.repeat(NODE_NAMES.length)}) ON CONFLICT (id) DO UPDATE SET
  first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen),
  ${NODE_NAMES.map((name) => `${name} = coalesce(excluded.${name}, ${name})`).join(', ')}`

const PUT_NEIGHBOUR = `INSERT INTO neighbours (node_id, neighbour_id, snr, first_seen, last_seen, reports)
  VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  snr = iif(excluded.last_seen >= last_seen, excluded.snr, snr),
  first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen),
  reports = reports + excluded.reports`

const PUT_COLLECTOR = `INSERT OR REPLACE INTO collectors
  (name, broker, state, detail, attempts, messages, last_data_at, updated_at, pid)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`

/** Tables of what happened, with the column that says when, and its units in a millisecond. */
const HISTORIES = [
  ['neighbour_history', 'at', 1n],
  ['positions', 'at', 1n],
  ['strokes', 'time_ns', 1_000_000n],
  ['connection_events', 'at', 1n],
] as const

interface Edge {
  readonly record: NeighbourRecord
  readonly firstSeen: number
  readonly reports: number
}

/** The SQLite file, in the thread that writes it. */
export class Database {
  private readonly db: DatabaseSync
  private readonly statements: ReturnType<typeof prepare>

  /** @param fileLimitBytes the file grows no larger; what does not fit is refused as on a full disk
   *  @throws when the file cannot be opened, is locked, or comes from a newer program */
  constructor(path: string, fileLimitBytes?: number, busyTimeoutMs = 500) {
    this.db = new DatabaseSync(path, { timeout: busyTimeoutMs })
    try {
      // Before the first table is made: only then can the file give room back bit by bit.
      this.db.exec('PRAGMA auto_vacuum = INCREMENTAL')
      // NORMAL: a killed process loses nothing that was committed; a power cut may lose the last commits.
      this.db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
      migrate(this.db)
      this.statements = prepare(this.db)
      if (fileLimitBytes !== undefined) this.limit(fileLimitBytes)
    } catch (error) {
      this.db.close()
      throw error
    }
  }

  /** Writes all of it, or nothing.
   *  @throws what SQLite says, SQLITE_BUSY and SQLITE_FULL among it */
  commit(records: readonly StoreRecord[]): void {
    const { db } = this
    db.exec('BEGIN IMMEDIATE')
    try {
      this.put(records)
      db.exec('COMMIT')
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }

  /** Takes away what is not to be kept. @returns how many rows went */
  retain({ maximumAgeMs, maximumBytes }: Retention, now: number): number {
    let gone = 0
    if (maximumAgeMs !== undefined) gone += this.dropOlderThan(now - maximumAgeMs)
    if (maximumBytes !== undefined) {
      // Each round takes a tenth of every history, so it ends: what is left are nodes and edges.
      for (let round = 0; round < 50 && this.usedBytes() > maximumBytes; round++) {
        const dropped = this.dropOldestTenth()
        gone += dropped
        if (dropped === 0) break
      }
    }
    if (gone > 0) this.db.exec('PRAGMA incremental_vacuum')
    return gone
  }

  /** Bytes of the pages that hold something. */
  usedBytes(): number {
    const { pageCount, unusedPages, pageSize } = this.statements
    const pages = Number(pageCount.get()?.['page_count']) - Number(unusedPages.get()?.['freelist_count'])
    return pages * Number(pageSize.get()?.['page_size'])
  }

  close(): void {
    if (this.db.isOpen) this.db.close()
  }

  /** What does not fit is SQLITE_FULL from now on, as on a disk of that size. */
  private limit(bytes: number): void {
    const pageSize = Number(this.statements.pageSize.get()?.['page_size'])
    this.db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(bytes / pageSize))}`)
  }

  private put(records: readonly StoreRecord[]): void {
    const { statements } = this
    // What is told several times in a batch touches its row once.
    const nodes = new Map<number, { node: NodeRecord; firstSeen: number }>()
    const edges = new Map<string, Edge>()
    const statuses = new Map<string, SQLInputValue[]>()
    for (const record of records) {
      switch (record.table) {
        case 'nodes':
          nodes.set(record.id, mergeNode(nodes.get(record.id), record))
          break
        case 'neighbours': {
          const { nodeId, neighbourId, snr, seenAt } = record
          statements.history.run(nodeId, neighbourId, snr, seenAt)
          const key = `${nodeId}:${neighbourId}`
          edges.set(key, mergeEdge(edges.get(key), record))
          break
        }
        case 'positions': {
          const { nodeId, at, latitude, longitude, altitude, precisionBits } = record
          statements.position.run(nodeId, at, latitude, longitude, altitude ?? null, precisionBits ?? null)
          break
        }
        case 'strokes': {
          const { timeNs, latitude, longitude, status, region, distanceKm, bearing } = record
          statements.stroke.run(
            timeNs,
            latitude,
            longitude,
            status ?? null,
            region ?? null,
            distanceKm,
            bearing,
          )
          break
        }
        case 'events':
          statements.event.run(record.collector, record.at, record.kind, record.detail ?? null)
          break
        case 'collectors': {
          const { name, broker, state, detail, attempts, messages, lastDataAt, updatedAt, pid } = record
          const values = [broker, state, detail ?? null, attempts, messages, lastDataAt ?? null]
          statuses.set(name, [name, ...values, updatedAt, pid])
        }
      }
    }
    for (const { node, firstSeen } of nodes.values()) {
      const values = NODE_KEYS.map((key) => node[key] ?? null)
      statements.node.run(node.id, firstSeen, node.seenAt, ...values)
    }
    for (const { record, firstSeen, reports } of edges.values()) {
      const { nodeId, neighbourId, snr, seenAt } = record
      statements.neighbour.run(nodeId, neighbourId, snr, firstSeen, seenAt, reports)
    }
    for (const values of statuses.values()) statements.collector.run(...values)
  }

  private dropOlderThan(time: number): number {
    const { db } = this
    const before = BigInt(Math.trunc(time))
    let gone = 0
    for (const [table, column, units] of HISTORIES) {
      gone += Number(db.prepare(`DELETE FROM ${table} WHERE ${column} < ?`).run(before * units).changes)
    }
    for (const table of ['nodes', 'neighbours']) {
      gone += Number(db.prepare(`DELETE FROM ${table} WHERE last_seen < ?`).run(before).changes)
    }
    return gone
  }

  private dropOldestTenth(): number {
    let gone = 0
    for (const [table] of HISTORIES) {
      const row = this.db.prepare(`SELECT min(id) AS low, max(id) AS high FROM ${table}`).get()
      if (typeof row?.['low'] !== 'number' || typeof row['high'] !== 'number') continue
      const upTo = row['low'] + Math.floor((row['high'] - row['low']) / 10)
      gone += Number(this.db.prepare(`DELETE FROM ${table} WHERE id <= ?`).run(upTo).changes)
    }
    return gone
  }
}

function prepare(db: DatabaseSync): Record<StatementName, StatementSync> {
  const statements: Partial<Record<StatementName, StatementSync>> = {}
  for (const [name, sql] of Object.entries(SQL)) statements[name as StatementName] = db.prepare(sql)
  return statements as Record<StatementName, StatementSync>
}

const SQL = {
  node: PUT_NODE,
  neighbour: PUT_NEIGHBOUR,
  collector: PUT_COLLECTOR,
  history: 'INSERT INTO neighbour_history (node_id, neighbour_id, snr, at) VALUES (?, ?, ?, ?)',
  position: `INSERT INTO positions (node_id, at, latitude, longitude, altitude, precision_bits)
    VALUES (?, ?, ?, ?, ?, ?)`,
  stroke: `INSERT INTO strokes (time_ns, latitude, longitude, status, region, distance_km, bearing)
    VALUES (?, ?, ?, ?, ?, ?, ?)`,
  event: 'INSERT INTO connection_events (collector, at, kind, detail) VALUES (?, ?, ?, ?)',
  pageCount: 'PRAGMA page_count',
  unusedPages: 'PRAGMA freelist_count',
  pageSize: 'PRAGMA page_size',
} as const

type StatementName = keyof typeof SQL

function mergeNode(
  before: { node: NodeRecord; firstSeen: number } | undefined,
  node: NodeRecord,
): { node: NodeRecord; firstSeen: number } {
  if (before === undefined) return { node, firstSeen: node.seenAt }
  const merged: Record<string, unknown> = { ...before.node }
  for (const key of NODE_KEYS) if (node[key] !== undefined) merged[key] = node[key]
  merged['seenAt'] = Math.max(before.node.seenAt, node.seenAt)
  return { node: merged as unknown as NodeRecord, firstSeen: Math.min(before.firstSeen, node.seenAt) }
}

function mergeEdge(before: Edge | undefined, record: NeighbourRecord): Edge {
  if (before === undefined) return { record, firstSeen: record.seenAt, reports: 1 }
  return {
    record: record.seenAt >= before.record.seenAt ? record : before.record,
    firstSeen: Math.min(before.firstSeen, record.seenAt),
    reports: before.reports + 1,
  }
}
