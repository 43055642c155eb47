import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Broker } from '@pipit/broker'
import { afterEach, expect, test } from 'vitest'

const folder = import.meta.dirname
const cleanUps: (() => void | Promise<void>)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function broker(port = 0): Promise<{ broker: Broker; port: number }> {
  const running = new Broker()
  const listener = await running.listen({ port, host: '127.0.0.1' })
  cleanUps.push(() => running.close())
  return { broker: running, port: listener.port }
}

/** What comes to a broker on a topic, as text. */
async function* arriving(at: Broker, filter: string): AsyncGenerator<[topic: string, payload: string]> {
  for await (const { topic, payload } of at.subscribe(filter, { qos: 1 })) {
    yield [topic, Buffer.from(payload).toString()]
  }
}

/** An example that runs as a reader would run it, but against `port` where it says 1883. */
class Example {
  output = ''
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  private look: () => void = () => {}
  private isOver = false

  constructor(name: string, port: number, args: readonly string[] = []) {
    const scratch = mkdtempSync(join(folder, '.run-'))
    const file = join(scratch, name)
    writeFileSync(file, readFileSync(join(folder, name), 'utf8').replaceAll(':1883', `:${port}`))
    this.child = spawn(process.execPath, ['--conditions=@pipit/source', file, ...args])
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
        this.look()
      })
    }
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code) => {
        this.isOver = true
        this.look()
        resolve(code)
      })
    })
    cleanUps.push(async () => {
      this.child.kill('SIGKILL')
      await this.ended
      rmSync(scratch, { recursive: true })
    })
  }

  /** Settles when it has printed a line. */
  async says(line: string): Promise<void> {
    while (!this.output.split('\n').includes(line)) {
      if (this.isOver) throw new Error(`ended without ${line}:\n${this.output}`)
      await new Promise<void>((resolve) => {
        this.look = resolve
      })
    }
  }
}

test('sensor.ts publishes readings, and the broker knows whether it is there', async () => {
  const { broker: at, port } = await broker()
  const readings = arriving(at, 'home/thermometer/reading')
  const statuses = arriving(at, 'home/thermometer/status')
  const first = Promise.all([statuses.next(), readings.next()])
  const sensor = new Example('sensor.ts', port)

  const [status, reading] = await first
  expect(status.value?.[1]).toBe('online')
  const { celsius } = JSON.parse(reading.value?.[1] ?? '') as { celsius: number }
  await sensor.says(`sent ${celsius.toFixed(1)} °C`)

  sensor.child.kill('SIGINT')
  expect((await statuses.next()).value?.[1]).toBe('offline')
  expect(await sensor.ended).toBe(0)
})

test('sensor.ts that is killed is offline by its will', async () => {
  const { broker: at, port } = await broker()
  const statuses = arriving(at, 'home/thermometer/status')
  const online = statuses.next()
  const sensor = new Example('sensor.ts', port)
  expect((await online).value?.[1]).toBe('online')
  sensor.child.kill('SIGKILL')
  expect((await statuses.next()).value?.[1]).toBe('offline')
})

test('request-response.ts prints the sums that came back', async () => {
  const { port } = await broker()
  const program = new Example('request-response.ts', port)
  expect(await program.ended).toBe(0)
  expect(program.output).toBe('5, 42\n')
})

test('worker.ts acknowledges a job when it is done: one that it was killed over comes again', async () => {
  const { broker: at, port } = await broker()
  const killed = new Example('worker.ts', port)
  await killed.says('ready')
  // While the second one is done, the acknowledgement of the first is on its way for sure.
  for (const job of ['jobs/a', 'jobs/a2']) {
    at.publish(job, '1', { qos: 1 })
    await killed.says(`done ${job}`)
  }
  at.publish('jobs/b', '100000', { qos: 1 })
  await killed.says('begun jobs/b: 100000')
  killed.child.kill('SIGKILL')
  await killed.ended

  const back = new Example('worker.ts', port)
  await back.says('begun jobs/b: 100000')
  expect(back.output).not.toContain('jobs/a:')
})

test('worker.ts ends in order when it is interrupted', async () => {
  const { port } = await broker()
  const worker = new Example('worker.ts', port)
  await worker.says('ready')
  worker.child.kill('SIGINT')
  expect(await worker.ended).toBe(0)
})

test('offline-queue.ts sends what it queued when the broker comes, in order', async () => {
  const { broker: gone, port } = await broker()
  await gone.close()
  const store = join(mkdtempSync(join(folder, '.run-')), 'queue')
  cleanUps.push(() => rmSync(join(store, '..'), { recursive: true }))
  const program = new Example('offline-queue.ts', port, [store])
  await program.says('connecting: 3 readings wait')

  const { broker: at } = await broker(port)
  const readings = arriving(at, 'cellar/temperature')
  const values = [await readings.next(), await readings.next(), await readings.next()]
  expect(values.map(({ value }) => value?.[1])).toEqual(['21.5', '21.7', '22.0'])
  expect(await program.ended).toBe(0)
  expect(program.output).toContain('the broker has all of them')
})
