/** Collectors: start() whatever its broker does, mesh envelopes decoded and stored, strokes stored for a minute.
 *  Rates are per second of CPU time of the whole process, its writing thread included: what one core does. */
import { createCipheriv } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LightningCollector, MeshCollector, query, Store, simulateStorms } from '@pipit/collectors'
import { machineLine } from './lib/machine.ts'

const START_LIMIT_MS = 100
const ENVELOPES_PER_SECOND = 20_000
const STROKES_PER_SECOND = 10_000
const centre = { latitude: 48.2, longitude: 16.4 }
const quick = process.argv.includes('--quick')
const folder = mkdtempSync(join(tmpdir(), 'pipit-bench-'))
let failed = false

function row(name: string, figure: string, wanted: string, isMet: boolean): void {
  console.log(`${name.padEnd(38)} ${figure.padStart(26)}   wanted ${wanted}${isMet ? '' : '   NOT MET'}`)
  if (!isMet) failed = true
}

/** How long the longest of some calls of start() took. */
async function starts(): Promise<void> {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = silent.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const brokers = { 'closed broker': 'mqtt://127.0.0.1:1', 'silent broker': `mqtt://127.0.0.1:${port}` }
  for (const [name, broker] of Object.entries(brokers)) {
    let longest = 0
    for (let i = 0; i < 20; i++) {
      const before = performance.now()
      const store = new Store({ path: join(folder, `start-${i}.db`) })
      const collector = new MeshCollector({ store, broker, log: () => {} })
      collector.start()
      longest = Math.max(longest, performance.now() - before)
      await collector.stop()
      await store.close()
    }
    row(`start(), ${name}, longest of 20`, `${longest.toFixed(1)} ms`, '< 100 ms', longest < START_LIMIT_MS)
  }
  silent.close()
}

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
const field = (number: number, content: readonly number[]): number[] => [
  number * 8 + 2,
  ...varint(content.length),
  ...content,
]
const fixed = (number: number, value: number): number[] => [
  number * 8 + 5,
  ...new Uint8Array(new Uint32Array([value]).buffer),
]

/** Encrypted envelopes: neighbours (three of them), positions and names in turn. */
function envelopes(count: number): Uint8Array[] {
  const key = Buffer.from('1PG7OiApB1nwvP+rz05pAQ==', 'base64')
  return Array.from({ length: count }, (_, i) => {
    const from = 1000 + (i % 2000)
    const neighbours = [1, 2, 3].flatMap((n) => field(4, [8, ...varint(from + n), ...fixed(2, 0x40a00000)]))
    const payloads: [number, number[]][] = [
      [71, [8, ...varint(from), ...neighbours]],
      [3, [...fixed(1, 482_000_000 + i), ...fixed(2, 164_000_000), 24, 100]],
      [4, [...field(1, [...Buffer.from(`!${from}`)]), ...field(2, [...Buffer.from(`node ${from}`)])]],
    ]
    const [port, payload] = payloads[i % payloads.length] ?? [0, []]
    const nonce = Buffer.alloc(16)
    nonce.writeUInt32LE(i + 1, 0)
    nonce.writeUInt32LE(from, 8)
    const cipher = createCipheriv('aes-128-ctr', key, nonce)
    const encrypted = cipher.update(Uint8Array.from([8, port, ...field(2, payload)]))
    const packet = [...fixed(1, from), ...field(5, [...encrypted]), ...fixed(6, i + 1)]
    return Uint8Array.from([...field(1, packet), ...field(2, [...Buffer.from('LongFast')])])
  })
}

/** Hands messages over with the event loop turning, no faster than the store takes them. */
async function feed(store: Store, count: number, ingest: (i: number) => void): Promise<void> {
  for (let i = 0; i < count; ) {
    for (let n = 0; n < 500 && i < count; n++, i++) ingest(i)
    while (store.metrics().buffered > 50_000) await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await store.flush(60_000)
}

async function mesh(): Promise<void> {
  const count = quick ? 20_000 : 200_000
  const store = new Store({ path: join(folder, 'mesh.db') })
  const collector = new MeshCollector({ store, log: () => {} })
  const made = envelopes(count)
  const topic = 'msh/EU_868/2/e/LongFast/!0000beef'
  const before = process.cpuUsage()
  await feed(store, count, (i) => collector.ingest({ topic, payload: made[i] as Uint8Array }))
  const { user, system } = process.cpuUsage(before)
  const rate = count / ((user + system) / 1e6)
  const { skipped, records } = collector.metrics()
  if (Object.keys(skipped).length > 0) throw new Error(`skipped: ${JSON.stringify(skipped)}`)
  await store.close()
  if (store.metrics().written !== records) throw new Error(`${store.metrics().written} of ${records} written`)
  const wanted = `${ENVELOPES_PER_SECOND} a CPU second`
  row(
    `mesh, ${count} envelopes to the file`,
    `${Math.round(rate)} a CPU second`,
    wanted,
    rate >= ENVELOPES_PER_SECOND,
  )
}

/** Strokes at their pace, for a minute: memory at its end beside that after a third. */
async function lightning(): Promise<void> {
  const seconds = quick ? 3 : 60
  const store = new Store({ path: join(folder, 'storm.db') })
  const collector = new LightningCollector({ store, centre, radiusKm: 500, log: () => {} })
  const storms = simulateStorms({
    ...{ centre, radiusKm: 300, startAt: Date.now(), strokesPerSecond: STROKES_PER_SECOND },
  })
  const start = performance.now()
  let [given, mostBuffered, early, late] = [0, 0, 0, 0]
  for (let elapsed = 0; elapsed < seconds; elapsed = (performance.now() - start) / 1000) {
    const due = Math.floor(elapsed * STROKES_PER_SECOND)
    for (; given < due; given++) collector.ingest(storms.next().value)
    mostBuffered = Math.max(mostBuffered, store.metrics().buffered)
    const memory = process.memoryUsage.rss() / 1e6
    if (elapsed < seconds / 3) early = Math.max(early, memory)
    else late = Math.max(late, memory)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await store.flush(60_000)
  await store.close()
  const { dropped } = store.metrics()
  const [[kept] = []] = query(join(folder, 'storm.db'), 'SELECT count(*) FROM strokes').rows
  const rate = Number(kept) / seconds
  row(
    `strokes stored, ${seconds} s`,
    `${Math.round(rate)} a second`,
    '9900 and more',
    rate > STROKES_PER_SECOND * 0.99,
  )
  row('  dropped, most in memory', `${dropped}, ${mostBuffered} records`, 'none', dropped === 0)
  row(
    '  RSS, first third and after',
    `${Math.round(early)}, ${Math.round(late)} MB`,
    'no more than 1.5 times',
    late < early * 1.5,
  )
}

try {
  console.log(`collectors: ${machineLine()}`)
  await starts()
  await mesh()
  await lightning()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (failed) process.exitCode = 1
