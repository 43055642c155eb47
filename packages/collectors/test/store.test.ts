import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { query, Store, type StoreFault, type StoreOptions, type StrokeRecord } from '../src/index.ts'
import { migrate, SCHEMA_VERSION } from '../src/store/schema.ts'
import { testFolder } from './folder.ts'

function newStore(options: Partial<StoreOptions> = {}): Store {
  const store = new Store({ path: join(testFolder(), 'data.db'), batchMs: 10, ...options })
  onTestFinished(() => store.close(500))
  return store
}

function stroke(i: number, timeNs = BigInt(Date.now()) * 1_000_000n + BigInt(i)): StrokeRecord {
  return { table: 'strokes', timeNs, latitude: 1, longitude: 2, distanceKm: i, bearing: 0 }
}

const fault = (store: Store): Promise<StoreFault> =>
  new Promise((resolve) => {
    const ended = store.onFault((what) => {
      ended()
      resolve(what)
    })
  })

const numbers = (path: string): unknown[] =>
  query(path, 'SELECT distance_km FROM strokes ORDER BY id').rows.map(([km]) => km)

describe('Store', () => {
  test('write() puts nodes, edges, positions, strokes and events into the file', async () => {
    const store = newStore()
    const node = { table: 'nodes', id: 7, seenAt: 1000 } as const
    store.write({ ...node, longName: 'Seven', batteryLevel: 90 })
    store.write({ ...node, seenAt: 3000, batteryLevel: 80 })
    const edge = { table: 'neighbours', nodeId: 7, neighbourId: 8 } as const
    store.write({ ...edge, snr: 5.5, seenAt: 1000 })
    store.write({ ...edge, snr: -2.25, seenAt: 3000 })
    store.write({ table: 'positions', nodeId: 7, at: 1000, latitude: 1.5, longitude: -2.5, altitude: 30 })
    store.write(stroke(3, 1_700_000_000_123_456_789n))
    store.write({ table: 'events', collector: 'mesh', at: 5, kind: 'connect', detail: 'MQTT 5.0' })
    expect(await store.flush()).toBe(true)
    // A second batch meets the rows of the first.
    store.write({ ...edge, snr: 1, seenAt: 2000 })
    store.write({ ...node, seenAt: 4000 })
    expect(await store.flush()).toBe(true)
    const { path } = store
    expect(query(path, 'SELECT id, long_name, battery_level, first_seen, last_seen FROM nodes').rows).toEqual(
      [[7, 'Seven', 80, 1000, 4000]],
    )
    expect(query(path, 'SELECT * FROM neighbours').rows).toEqual([[7, 8, -2.25, 1000, 3000, 3]])
    expect(query(path, 'SELECT snr, at FROM neighbour_history ORDER BY id').rows).toEqual([
      [5.5, 1000],
      [-2.25, 3000],
      [1, 2000],
    ])
    expect(query(path, 'SELECT latitude, longitude, altitude FROM positions').rows).toEqual([[1.5, -2.5, 30]])
    expect(query(path, 'SELECT time_ns FROM strokes').rows).toEqual([[1_700_000_000_123_456_789n]])
    expect(query(path, 'SELECT collector, kind, detail FROM connection_events').rows).toEqual([
      ['mesh', 'connect', 'MQTT 5.0'],
    ])
    expect(store.metrics()).toMatchObject({ buffered: 0, written: 9, dropped: 0, batches: 2, retries: 0 })
  })

  test('a locked database is reported, tried again, and loses nothing', async () => {
    const store = newStore({ retryMs: 10 })
    store.write(stroke(0))
    await store.flush()
    const other = new DatabaseSync(store.path)
    onTestFinished(() => other.close())
    other.exec('BEGIN IMMEDIATE')
    const failed = fault(store)
    store.write(stroke(1))
    expect((await failed).code).toBe('LOCKED')
    store.write(stroke(2))
    other.exec('COMMIT')
    expect(await store.flush()).toBe(true)
    expect(numbers(store.path)).toEqual([0, 1, 2])
    expect(store.metrics()).toMatchObject({ dropped: 0, written: 3 })
    expect(store.metrics().retries).toBeGreaterThan(0)
  })

  test('a full database is reported; the buffer keeps the newest and counts what it drops', async () => {
    const store = newStore({ retryMs: 10, fileLimitBytes: 1, bufferLimit: 100 })
    const failed = fault(store)
    store.write(stroke(0))
    // The schema made the file; not a page more is to be had, once those it has are full.
    for (let i = 1; i < 20_000; i++) store.write(stroke(i))
    expect(store.metrics().buffered).toBeLessThanOrEqual(100)
    expect(store.metrics().dropped).toBeGreaterThanOrEqual(19_900)
    for (let i = 0; store.metrics().retries === 0; i++) {
      for (let j = 0; j < 100; j++) store.write(stroke(20_000 + i * 100 + j))
      await Promise.race([failed, store.flush(50)])
    }
    expect((await failed).code).toBe('FULL')
    const { written, dropped, buffered } = store.metrics()
    await store.close(1)
    expect(store.metrics().dropped).toBe(dropped + buffered)
    expect(numbers(store.path)).toHaveLength(written)
  })

  test('a full database goes on when retention makes room', async () => {
    const store = newStore({
      retryMs: 5,
      fileLimitBytes: 400_000,
      retention: { maximumBytes: 250_000 },
      retentionEveryMs: 3_600_000,
    })
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 2_000; i++) store.write(stroke(round * 2_000 + i))
      expect(await store.flush(20_000)).toBe(true)
    }
    expect(store.metrics()).toMatchObject({ written: 16_000, dropped: 0 })
    expect(store.metrics().retries).toBeGreaterThan(0)
    expect(numbers(store.path).at(-1)).toBe(15_999)
  })

  test('retention takes away what is too old', async () => {
    const store = newStore({ retention: { maximumAgeMs: 3_600_000 }, retentionEveryMs: 1 })
    const old = Date.now() - 7_200_000
    store.write(stroke(1, BigInt(old) * 1_000_000n))
    store.write({ table: 'nodes', id: 1, seenAt: old })
    store.write({ table: 'neighbours', nodeId: 1, neighbourId: 2, snr: 1, seenAt: old })
    store.write({ table: 'positions', nodeId: 1, at: old, latitude: 0, longitude: 0 })
    store.write(stroke(2))
    await store.flush()
    // The thread answers a batch before or after it looked; the next answer comes after.
    store.write(stroke(3))
    await store.close()
    expect(numbers(store.path)).toEqual([2, 3])
    for (const table of ['nodes', 'neighbours', 'neighbour_history', 'positions']) {
      expect(query(store.path, `SELECT count(*) FROM ${table}`).rows).toEqual([[0]])
    }
  })

  test('a file of a newer program is left alone and reported', async () => {
    const path = join(testFolder(), 'newer.db')
    const db = new DatabaseSync(path)
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`)
    db.close()
    const store = newStore({ path })
    const failed = fault(store)
    store.write(stroke(1))
    expect(await failed).toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('newer program'),
    })
  })

  test('close() settles with a database that stays locked, and says what it lost', async () => {
    const store = newStore({ retryMs: 10 })
    store.write(stroke(0))
    await store.flush()
    const other = new DatabaseSync(store.path)
    onTestFinished(() => other.close())
    other.exec('BEGIN IMMEDIATE')
    store.write(stroke(1))
    await store.close(50)
    expect(store.metrics()).toMatchObject({ buffered: 0, written: 1, dropped: 1 })
  })

  test('kill -9 loses at most the last batch', async () => {
    const path = join(testFolder(), 'killed.db')
    const child = writer(path)
    const closed = once(child, 'close')
    let told = 0
    // The child says how many the file has; it is killed in the middle of its work.
    child.stdout?.on('data', (chunk: Buffer) => {
      told = Math.max(told, ...String(chunk).split('\n').slice(0, -1).map(Number))
      if (told >= 5_000) child.kill('SIGKILL')
    })
    expect((await closed)[1]).toBe('SIGKILL')
    const kept = numbers(path)
    expect(kept.length).toBeGreaterThanOrEqual(told)
    // Without a gap, from the first one on.
    expect(kept).toEqual(kept.map((_, i) => i))
    expect(query(path, 'SELECT * FROM pragma_integrity_check').rows).toEqual([['ok']])
  })
})

/** A process that writes strokes as fast as it can and prints how many the file has. */
function writer(path: string): ChildProcess {
  const script = `
    import { Store } from ${JSON.stringify(join(import.meta.dirname, '../src/store/store.ts'))}
    const store = new Store({ path: ${JSON.stringify(path)}, batchMs: 20 })
    let i = 0
    const more = () => {
      for (let n = 0; n < 50 && store.metrics().buffered < 5_000; n++, i++) store.write({ table: 'strokes', timeNs: 1n, latitude: 0, longitude: 0, distanceKm: i, bearing: 0 })
      process.stdout.write(store.metrics().written + '\\n')
      setImmediate(more)
    }
    more()`
  const args = ['--conditions=@pipit/source', '--input-type=module-typescript', '--eval', script]
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
}

describe('migrate()', () => {
  test('takes a database from each older version to this one, and keeps its rows', () => {
    const db = new DatabaseSync(':memory:')
    const steps = [
      'CREATE TABLE a (x INTEGER)',
      'ALTER TABLE a ADD COLUMN y INTEGER DEFAULT 5',
      'CREATE TABLE b (z INTEGER)',
    ]
    migrate(db, steps.slice(0, 1))
    db.exec('INSERT INTO a VALUES (1)')
    migrate(db, steps)
    expect({ ...db.prepare('SELECT * FROM a').get() }).toEqual({ x: 1, y: 5 })
    migrate(db, steps)
    expect(db.prepare('PRAGMA user_version').get()).toMatchObject({ user_version: 3 })
  })

  test('leaves a database as it was when a step fails', () => {
    const db = new DatabaseSync(':memory:')
    expect(() => migrate(db, ['CREATE TABLE a (x INTEGER)', 'nonsense'])).toThrow()
    expect(db.prepare('SELECT count(*) AS n FROM sqlite_master').get()).toMatchObject({ n: 0 })
    expect(db.prepare('PRAGMA user_version').get()).toMatchObject({ user_version: 0 })
  })
})

describe('query()', () => {
  test.each([
    'DELETE FROM strokes',
    'WITH a AS (SELECT 1) DELETE FROM strokes',
    "ATTACH 'x.db' AS x",
    "/* SELECT */ VACUUM INTO 'x.db'",
  ])('refuses what writes: %s', async (sql) => {
    const store = newStore()
    store.write(stroke(1))
    await store.flush()
    expect(() => query(store.path, sql)).toThrow()
    expect(numbers(store.path)).toEqual([1])
  })
})
