import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from '@pipit/client'
import { type Collector, LightningCollector, MeshCollector, query, Store } from '@pipit/collectors'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { freePort } from '../../../tools/torture/brokers.ts'
import { Processes, type Running } from './processes.ts'

const processes = new Processes()
afterAll(() => processes.end())

const LIVES = 20
/** Messages of each kind taken in each life of the broker, before it is killed in the middle of more. */
const EACH_LIFE = 15
const BASE = 1_760_000_000_000_000_000n
const FAST = { reconnect: { minimumDelayMs: 1, maximumDelayMs: 20 } } as const
/** A session that lasts, so that the broker keeps what comes while the collector is away. */
const LASTING = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } } as const

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
const fixed = (field: number, value: number): number[] => [
  field * 8 + 5,
  ...new Uint8Array(Uint32Array.of(value).buffer),
]
const part = (field: number, bytes: readonly number[]): number[] => [
  field * 8 + 2,
  ...varint(bytes.length),
  ...bytes,
]

/** An envelope with which node 1 says that it hears node `i` + 1. */
function envelope(i: number): Uint8Array {
  const neighbours = [8, 1, ...part(4, [8, ...varint(i + 1), ...fixed(2, 0x40a00000)])]
  const packet = [...fixed(1, 1), ...part(4, [8, 71, ...part(2, neighbours)]), ...fixed(6, i + 1)]
  return Uint8Array.from(part(1, packet))
}

const stroke = (i: number): string => `{"time":${BASE + BigInt(i)},"lat":48.2,"lon":16.5}`

test('mesh and lightning through a broker process that is killed 20 times: what it acknowledged is stored, nothing else holds the program up', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-collect-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const port = await freePort()
  const broker = `mqtt://127.0.0.1:${port}`
  const spawn = (): Running => {
    const script = join(import.meta.dirname, 'broker-process.ts')
    const args = ['--conditions=@pipit/source', script, String(port), join(folder, 'broker')]
    return processes.run(process.execPath, args)
  }
  const begin = async (loaded: Running): Promise<Running> => {
    loaded.feed('go')
    await loaded.says(/ready/)
    return loaded
  }
  const store = new Store({ path: join(folder, 'data.db'), batchMs: 10 })
  onTestFinished(() => store.close(500))
  const said: string[] = []
  const collectors: Collector[] = ['mesh', 'lightning'].map((name) => {
    const options = {
      ...{ store, broker, name, log: (line: string) => said.push(line) },
      client: { ...FAST, ...LASTING, clientId: name },
    }
    if (name === 'mesh') return new MeshCollector(options)
    return new LightningCollector({ ...options, centre: { latitude: 48.2, longitude: 16.4 }, radiusKm: 50 })
  })
  const [mesh, lightning] = collectors as [Collector, Collector]
  const connected = collectors.map((each) => new Promise((resolve) => each.on('connect', resolve)))
  const publisher = open(broker, FAST)
  onTestFinished(async () => {
    await publisher.close({ force: true })
    for (const each of collectors) await each.stop()
  })

  let running = await begin(spawn())
  let next = spawn()
  for (const each of collectors) each.start()
  await Promise.all(connected)
  // Subscribed when the first has come.
  const first = collectors.map((each) => new Promise((resolve) => each.on('message', resolve)))
  await publisher.publish('blitzortung/1.1/u/2/e/d', stroke(0), { qos: 1, retain: true })
  await publisher.publish('msh/EU_868/2/e/L/!1', envelope(0), { qos: 1, retain: true })
  await Promise.all(first)

  const acknowledged: number[] = [0]
  let sent = 1
  let loading = true
  const publish = async (): Promise<void> => {
    while (loading) {
      const number = sent++
      await Promise.all([
        publisher.publish('blitzortung/1.1/u/2/e/d', stroke(number), { qos: 1 }),
        publisher.publish('msh/EU_868/2/e/L/!1', envelope(number), { qos: 1 }),
      ])
      acknowledged.push(number)
    }
  }
  const load = [1, 2, 3, 4].map(() => publish())
  for (let life = 0; life < LIVES; life++) {
    await Promise.all(collectors.map((each) => messages(each, EACH_LIFE)))
    await running.kill('SIGKILL')
    running = await begin(next)
    next = spawn()
  }
  await Promise.all(collectors.map((each) => messages(each, EACH_LIFE)))
  loading = false
  await Promise.all(load)

  const wanted = acknowledged.toSorted((a, b) => a - b)
  const edges = 'SELECT DISTINCT neighbour_id - 1 FROM neighbour_history ORDER BY 1'
  const strokes = `SELECT DISTINCT time_ns - ${BASE} FROM strokes ORDER BY 1`
  await untilStored(store, edges, wanted.length)
  await untilStored(store, strokes, wanted.length)
  expect(stored(store, edges)).toEqual(wanted)
  expect(stored(store, strokes)).toEqual(wanted)
  for (const each of collectors) expect(each.metrics().reconnects).toBeGreaterThanOrEqual(LIVES)
  // Only what came twice was left out.
  expect(Object.keys(mesh.metrics().skipped).filter((why) => why !== 'duplicate')).toEqual([])
  expect(lightning.metrics().skipped).toEqual({})
  expect(store.metrics().dropped).toBe(0)
  expect(said).toEqual([])
}, 120_000)

/** Settles when so many more messages have come. */
function messages(collector: Collector, count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count
    const ended = collector.on('message', () => {
      if (--left > 0) return
      ended()
      resolve()
    })
  })
}

/** Settles once the file has all: what the broker kept may still be on its way. */
async function untilStored(store: Store, sql: string, count: number): Promise<void> {
  while (stored(store, sql).length < count) await new Promise((resolve) => setTimeout(resolve, 20))
}

function stored(store: Store, sql: string): number[] {
  return query(store.path, sql).rows.map(([value]) => Number(value))
}
