import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '@pipit/broker'
import { afterEach, expect, test } from 'vitest'
import { Running } from './processes.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'pipit-killed-'))
  cleanUps.push(() => rmSync(path, { recursive: true }))
  return path
}

function client(url: string, store: string, first: number, count: number): Running {
  const script = join(import.meta.dirname, 'client-process.ts')
  const args = ['--conditions=@pipit/source', script, url, store, String(first), String(count)]
  const running = new Running(process.execPath, args)
  cleanUps.push(() => running.child.kill('SIGKILL'))
  return running
}

const numbers = (text: string, what: string): number[] =>
  [...text.matchAll(new RegExp(`^${what} (\\d+)$`, 'gm'))].map((match) => Number(match[1]))

/** A broker that notes what comes to it. */
async function noting(port = 0): Promise<{ port: number; received: () => number[] }> {
  const broker = new Broker()
  const listener = await broker.listen({ port, host: '127.0.0.1' })
  cleanUps.push(() => broker.close())
  const received: number[] = []
  const messages = broker.subscribe('killed', { qos: 2 })
  void (async () => {
    for await (const { payload } of messages) received.push(Number(Buffer.from(payload).toString()))
  })()
  return { port: listener.port, received: () => received }
}

test('fileStore under kill -9: what was acknowledged arrived, what was sent arrived once', async () => {
  const { port, received } = await noting()
  const url = `mqtt://127.0.0.1:${port}`
  const store = join(folder(), 'session')
  const acknowledged: number[] = []
  const safe: number[] = []
  let first = 0
  for (let round = 0; round < 6; round++) {
    const running = client(url, store, first, 100_000)
    // At any moment: after an acknowledgement that nobody knows beforehand.
    const moment = first + 1 + Math.floor(Math.random() * 150)
    await running.says(new RegExp(`^acknowledged ${moment}$`, 'm'))
    running.child.kill('SIGKILL')
    await running.ended
    acknowledged.push(...numbers(running.stdout, 'acknowledged'))
    safe.push(...numbers(running.stdout, 'safe'))
    first += 100_000
  }
  const last = client(url, store, first, 10).feed()
  await last.says(/^closed$/m)
  acknowledged.push(...numbers(last.stdout, 'acknowledged'))

  const arrived = new Set(received())
  expect(acknowledged.length).toBeGreaterThan(6)
  expect(acknowledged.filter((number) => !arrived.has(number))).toEqual([])
  expect(safe.filter((number) => !arrived.has(number))).toEqual([])
  expect(received().length).toBe(arrived.size)
}, 60_000)

test('fileStore under kill -9 while offline: what was safe is sent by the next process, in order', async () => {
  const closed = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => closed.once('listening', resolve))
  const { port } = closed.address() as { port: number }
  await new Promise((resolve) => closed.close(resolve))
  const url = `mqtt://127.0.0.1:${port}`
  const store = join(folder(), 'session')
  const safe: number[] = []
  for (let round = 0; round < 3; round++) {
    const running = client(url, store, round * 1000, 500)
    await running.says(new RegExp(`^safe ${round * 1000 + 1 + Math.floor(Math.random() * 400)}$`, 'm'))
    running.child.kill('SIGKILL')
    await running.ended
    safe.push(...numbers(running.stdout, 'safe'))
  }
  const { received } = await noting(port)
  const last = client(url, store, 5000, 1).feed()
  await last.says(/^closed$/m)

  expect(safe.length).toBeGreaterThan(3)
  const arrived = new Set(received())
  expect(safe.filter((number) => !arrived.has(number))).toEqual([])
  expect(received()).toEqual([...received()].sort((a, b) => a - b))
  expect(received().length).toBe(arrived.size)
}, 60_000)
