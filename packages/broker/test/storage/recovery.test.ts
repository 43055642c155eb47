import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { expect, test } from 'vitest'
import { StorageError } from '../../src/index.ts'
import { FolderLock } from '../../src/storage/lock.ts'
import { recover } from '../../src/storage/recovery.ts'
import { SqliteEngine } from '../../src/storage/sqlite-engine.ts'
import { FORMAT } from '../../src/storage/sqlite-schema.ts'
import { afterKill, startBroker } from './brokers.ts'
import { TestClient } from './client.ts'
import { batchOf, comparable, FOREVER, message, reference, session, temporaryFolder } from './kit.ts'

/** A store with something of everything, in several pages. */
function fill(folder: string, messages = 200): SqliteEngine {
  const engine = new SqliteEngine(folder, { sync: false })
  engine.commit([
    batchOf((s) => {
      for (let id = 1; id <= 20; id++) {
        s.putSession(session(id))
        s.putSubscription({ session: id, topicFilter: `f/${id}/#`, options: 1, identifier: id })
        s.putWill({ session: id, at: id, delay: 30, message: id })
        s.putInbound({ session: id, packetId: id, message: id })
        s.putRetained({ topic: `t/${id}`, message: id })
      }
    }),
  ])
  for (let id = 1; id <= messages; id++) {
    const write = batchOf((s) => {
      s.putMessage(message(id, `${id} `.repeat(60)))
      s.putReference(reference(id, 1 + (id % 20), id))
    })
    engine.commit([write])
  }
  return engine
}

test('a folder that another process uses is refused, saying by which', async () => {
  const data = join(temporaryFolder(), 'data')
  const lock = join(import.meta.dirname, '../../src/storage/lock.ts')
  const script = `const { FolderLock } = await import(${JSON.stringify(lock)})
    globalThis.held = new FolderLock(${JSON.stringify(data)}); console.log('locked'); setInterval(() => {}, 1000)`
  const other = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(other.stdout, 'data')
  await expect(startBroker({ data })).rejects.toMatchObject({
    code: 'LOCKED',
    message: `${data} is in use by process ${other.pid}; stop it, or use another folder (--data)`,
  })
  // However it ends, the folder is free.
  other.kill('SIGKILL')
  await once(other, 'exit')
  await startBroker({ data })
})

test('two brokers of one process do not share a folder', async () => {
  const { data, broker } = await startBroker({ data: join(temporaryFolder(), 'data') })
  await expect(startBroker({ data })).rejects.toMatchObject({ code: 'LOCKED' })
  await broker.close()
  await startBroker({ data })
})

test('a newer format is refused and not touched', () => {
  const folder = temporaryFolder()
  fill(folder, 20).close()
  const format = (value: number): void => {
    const db = new DatabaseSync(join(folder, 'broker.db'))
    db.exec(`UPDATE meta SET value = ${value} WHERE key = 'format'`)
    db.close()
  }
  format(99)
  expect(() => recover(folder)).toThrow(
    /has format 99; this version of Pipit reads up to \d+: start a newer one/,
  )
  expect(() => recover(folder)).toThrow(StorageError)
  expect(readdirSync(folder).filter((name) => name.includes('damaged'))).toEqual([])
  format(FORMAT)
  expect(recover(folder)).toMatchObject({ warnings: [] })
  expect(recover(folder).state.messages.size).toBe(20)
})

test('format 1 is migrated with all it holds, and what was damaged in it stays out', () => {
  const folder = temporaryFolder()
  const old = new DatabaseSync(join(folder, 'broker.db'))
  const sum1 = (...fields: unknown[]): number => crc32(JSON.stringify(fields))
  old.exec(`PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE messages (id INTEGER PRIMARY KEY, flags INTEGER, expires REAL, frame BLOB, sum INTEGER);
    CREATE TABLE refs (id INTEGER PRIMARY KEY, session INTEGER, message INTEGER, flags INTEGER,
      identifiers BLOB, state INTEGER, packet INTEGER, sum INTEGER);
    CREATE TABLE sessions (id INTEGER PRIMARY KEY, client TEXT, expiry REAL, expires REAL, username TEXT, sum INTEGER);
    CREATE TABLE subscriptions (session INTEGER, filter TEXT, options INTEGER, identifier INTEGER, sum INTEGER,
      PRIMARY KEY (session, filter)) WITHOUT ROWID;
    CREATE TABLE inbound (session INTEGER, packet INTEGER, message INTEGER, sum INTEGER,
      PRIMARY KEY (session, packet)) WITHOUT ROWID;
    CREATE TABLE retained (topic TEXT PRIMARY KEY, message INTEGER, sum INTEGER) WITHOUT ROWID;
    CREATE TABLE wills (session INTEGER PRIMARY KEY, at REAL, message INTEGER, sum INTEGER);
    INSERT INTO meta VALUES ('format', 1), ('commit', 7);`)
  const insert = (table: string, ...values: (number | string | null | Uint8Array)[]): void => {
    old.prepare(`INSERT INTO ${table} VALUES (${values.map(() => '?').join()})`).run(...values)
  }
  const frame = message(1).frame
  const flags = 4 | (1 << 3)
  for (const id of [1, 2]) {
    insert('messages', id, flags, FOREVER, frame, crc32(frame, sum1(id, flags, FOREVER)) + (id === 2 ? 1 : 0))
  }
  insert('sessions', 1, 'old', 3600, 12345, 'user', sum1(1, 'old', 3600, 'user'))
  insert('refs', 1, 1, 1, 2, '[5]', 2, 77, sum1(1, 1, 1, 2, '[5]'))
  insert('refs', 2, 1, 1, 1, null, 0, 0, sum1(2, 1, 1, 1, null))
  insert('subscriptions', 1, 'a/#', 2, 0, sum1(1, 'a/#', 2, 0))
  insert('inbound', 1, 9, 1, sum1(1, 9, 1))
  insert('retained', 't', 1, sum1('t', 1))
  insert('wills', 1, 500, 1, sum1(1, 500, 1))
  old.close()

  const engine = new SqliteEngine(folder, { sync: false })
  const state = engine.load()
  engine.close()
  expect(state.damage).toEqual(['messages: 1 damaged rows left out, the first is 2'])
  expect(comparable(state)).toMatchObject({
    messages: [{ id: 1, qos: 1, version: 4, expiresAt: FOREVER }],
    sessions: [{ id: 1, clientId: 'old', expiryInterval: 3600, expiresAt: 12345, username: 'user' }],
    references: [
      { id: 1, qos: 2, state: 2, packetId: 77, identifiers: [5] },
      { id: 2, qos: 1, state: 0, packetId: 0, identifiers: [] },
    ],
    subscriptions: [{ topicFilter: 'a/#', options: 2 }],
    inbound: [{ packetId: 9, message: 1 }],
    retained: [{ topic: 't', message: 1 }],
    wills: [{ session: 1, at: 500, delay: 0, message: 1 }],
  })
})

test('a truncated write-ahead log costs the commits that were in it, and says how many', async () => {
  const running = await startBroker({ data: join(temporaryFolder(), 'data') })
  const client = await TestClient.open(running.port, { clientId: 'c', protocolVersion: 4 })
  for (let i = 1; i <= 40; i++) {
    client.publish(`t/${i}`, 'x'.repeat(500), 1, i, { retain: true })
    await client.next('PUBACK')
  }
  const data = afterKill(running)
  const whole = recover(afterKill({ data }))
  expect(whole.warnings).toEqual([])
  expect(whole.state.retained).toHaveLength(40)
  const log = join(data, 'broker.db-wal')
  truncateSync(log, Math.floor(statSync(log).size / 2))
  const { port, said } = await startBroker({ data })
  expect(said).toEqual([
    expect.stringMatching(/the last \d+ commits are missing; its write-ahead log was cut or damaged/),
  ])
  // What is left is the beginning, without a hole.
  const reader = await TestClient.open(port, { clientId: 'r', protocolVersion: 4 })
  await reader.subscribe('t/#', 0)
  await reader.round()
  const found = reader.packets.map((packet) =>
    packet.type === 'PUBLISH' ? Number(packet.topic.slice(2)) : 0,
  )
  expect(found.length).toBeGreaterThan(0)
  expect(found.sort((a, b) => a - b)).toEqual(found.map((_, i) => i + 1))
  // It is said once.
  expect(recover(afterKill({ data })).warnings).toEqual([])
})

test('a flipped byte anywhere is either harmless or told, and never stops the broker from starting', () => {
  const original = temporaryFolder()
  fill(original).close()
  const whole = JSON.stringify(comparable(recover(original).state), infinite)
  const size = statSync(join(original, 'broker.db')).size
  let told = 0
  for (let i = 0; i < 120; i++) {
    const folder = join(temporaryFolder(), 'data')
    cpSync(original, folder, { recursive: true })
    const file = join(folder, 'broker.db')
    const bytes = readFileSync(file)
    const at = i < 30 ? i * 4 : (i * 7919 * 31) % size
    bytes[at] = bytes[at]! ^ (1 << (i % 8))
    writeFileSync(file, bytes)
    const { state, warnings } = recover(folder)
    const same = JSON.stringify(comparable(state), infinite) === whole
    if (!same) expect(warnings, `byte ${at}`).not.toEqual([])
    if (warnings.length > 0) {
      told++
      // The damaged file is still there, and the new one is sound.
      expect(readdirSync(folder).some((name) => name.includes('.damaged-'))).toBe(true)
      expect(recover(folder)).toMatchObject({ warnings: [] })
      expect(JSON.stringify(comparable(recover(folder).state), infinite)).toBe(
        JSON.stringify(comparable(state), infinite),
      )
    }
  }
  expect(told).toBeGreaterThan(20)
})

test('a damaged page costs the rows that were in it; the others go on in a new file', () => {
  const folder = temporaryFolder()
  fill(folder, 2000).close()
  const file = join(folder, 'broker.db')
  const bytes = readFileSync(file)
  // A page full of one payload's text: a leaf of the messages.
  const at = bytes.indexOf('1000 1000 1000 ')
  bytes.fill(0xff, at - (at % 4096), at - (at % 4096) + 64)
  writeFileSync(file, bytes)
  const { state, warnings } = recover(folder)
  expect(warnings).toEqual([
    expect.stringMatching(
      /broker\.db\.damaged-.* is damaged and was set aside; what could be read goes on in a new file: /,
    ),
  ])
  expect(state.messages.size).toBeGreaterThan(1900)
  expect(state.messages.size).toBeLessThan(2000)
  expect(state.sessions).toHaveLength(20)
  expect(state.references.every(({ message }) => state.messages.has(message))).toBe(true)
  const ids = state.references.map(({ id }) => id)
  expect(ids).toEqual([...ids].sort((a, b) => a - b))
})

test('a file that is no database is set aside with a message, and the store begins empty', async () => {
  const data = temporaryFolder()
  writeFileSync(join(data, 'broker.db'), 'this is my diary, not a database\n'.repeat(300))
  const { said, broker } = await startBroker({ data })
  expect(said).toEqual([
    expect.stringMatching(
      /broker\.db\.damaged-.*: the file is no database .*; it was set aside and an empty store begun/,
    ),
  ])
  expect(broker.sessions.size).toBe(0)
  const aside = readdirSync(data).find((name) => name.includes('damaged')) ?? ''
  expect(readFileSync(join(data, aside), 'utf8')).toContain('my diary')
})

test('a salvage that was cut short begins anew; one that was ready takes its place', () => {
  const folder = temporaryFolder()
  fill(folder, 25).close()
  writeFileSync(join(folder, 'broker.db.salvaged'), 'half of it')
  expect(recover(folder)).toMatchObject({ warnings: [] })
  expect(readdirSync(folder)).not.toContain('broker.db.salvaged')
  // Killed between setting the damaged file aside and putting the new one in its place.
  const other = join(temporaryFolder(), 'data')
  mkdirSync(other)
  cpSync(join(folder, 'broker.db'), join(other, 'broker.db.salvaged'))
  expect(recover(other).state.messages.size).toBe(25)
})

test('FolderLock: a folder that cannot be made says so', () => {
  const folder = temporaryFolder()
  writeFileSync(join(folder, 'file'), '')
  expect(() => new FolderLock(join(folder, 'file', 'data'))).toThrow(/cannot be made: a file is in its place/)
})

/** JSON has no Infinity. */
function infinite(_: string, value: unknown): unknown {
  return value === FOREVER ? 'never' : value
}
