import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Engine, openEngine } from '@pipit/bridge'
import { connect, type MqttClient } from '@pipit/client'
import { BrokerProcess, freePort } from './brokers.ts'

export interface BridgeTortureOptions {
  readonly apis: number
  readonly workers: number
  /** Commands, and messages of another publisher, in a second. */
  readonly commandsPerSecond: number
  readonly messagesPerSecond: number
  readonly seconds: number
  readonly killEveryMs: number
  readonly brokerRestarts: number
  /** How the bridge is told where its queue is; default: a file of the embedded engine. */
  readonly queue?: { readonly args: readonly string[]; readonly open: () => Engine }
  readonly progress?: (line: string) => void
}

/** What came of it. Those from `lost` on are faults. */
export interface BridgeTortureResult {
  readonly kills: number
  readonly brokerRestarts: number
  /** Commands answered with 202. */
  readonly accepted: number
  /** Publications that the other publisher has acknowledged. */
  readonly published: number
  /** Messages in the log. */
  readonly stored: number
  /** Commands of QoS 1 that a subscriber saw more than once, as it may. */
  readonly repeatedAtQos1: number
  /** Accepted, and never seen by the subscriber. */
  readonly lost: number
  /** Of QoS 2, and seen more than once. */
  readonly duplicated: number
  /** Not acknowledged in the end. */
  readonly unsettled: number
  /** Published, and not in the log. */
  readonly missing: number
  /** In the log more than once. */
  readonly storedTwice: number
}

const LAUNCHER = join(import.meta.dirname, '..', '..', 'packages', 'cli', 'bin', 'pipit.js')
/** How long nothing may change before what is missing counts as lost. */
const PATIENCE_MS = 15_000

/** Kills API processes, workers and the broker under load, and counts what is missing or came twice. */
export async function tortureBridge(options: BridgeTortureOptions): Promise<BridgeTortureResult> {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-torture-bridge-'))
  const file = join(folder, 'bridge.db')
  const queue = options.queue ?? { args: ['--queue', file], open: () => openEngine({ queue: file }) }
  const port = await freePort()
  const broker = BrokerProcess.pipit(port, join(folder, 'data'))
  await broker.start()
  const url = `mqtt://127.0.0.1:${port}`
  const shared = ['--broker', url, ...queue.args]
  const apis: Part[] = []
  for (let i = 0; i < options.apis; i++)
    apis.push(new Part('api', [...shared, '--port', String(await freePort())]))
  const workers = Array.from({ length: options.workers }, () => new Part('worker', shared))
  const parts = [...apis, ...workers]
  await Promise.all(parts.map((part) => part.ready()))
  const engine = queue.open()
  const scene = new Scene(engine, apis, await quickClient(url), await quickClient(url))
  let isOk = false
  try {
    await scene.begin()
    const kills = await chaos(options, scene, parts, broker)
    await scene.settled()
    const result = { ...(await scene.result()), kills, brokerRestarts: options.brokerRestarts }
    for (const part of parts) for (const line of part.complaints()) options.progress?.(line)
    isOk = isFlawless(result)
    if (!isOk) for (const line of scene.faults().slice(0, 20)) options.progress?.(line)
    return result
  } finally {
    await scene.end()
    await Promise.all(parts.map((part) => part.end()))
    await broker.kill()
    await engine.close()
    if (isOk) rmSync(folder, { recursive: true, force: true })
    else options.progress?.(`the data folder is ${folder}`)
  }
}

export function isFlawless(result: BridgeTortureResult): boolean {
  const { lost, duplicated, unsettled, missing, storedTwice } = result
  return lost + duplicated + unsettled + missing + storedTwice === 0
}

export function describeBridge(result: BridgeTortureResult): string {
  const { kills, brokerRestarts, accepted, published, stored, repeatedAtQos1 } = result
  const { lost, duplicated, unsettled, missing, storedTwice } = result
  return (
    `${kills} kills, ${brokerRestarts} broker restarts, ${accepted} commands accepted, ${published} messages published, ` +
    `${stored} stored, ${repeatedAtQos1} repeated at QoS 1: ${lost} lost, ${duplicated} duplicated at QoS 2, ` +
    `${unsettled} unsettled, ${missing} missing in the log, ${storedTwice} stored twice`
  )
}

/** Load and murder until the time is up. @returns how many were killed */
async function chaos(
  options: BridgeTortureOptions,
  scene: Scene,
  parts: readonly Part[],
  broker: BrokerProcess,
): Promise<number> {
  const { seconds, killEveryMs, brokerRestarts, commandsPerSecond, messagesPerSecond, progress } = options
  const until = performance.now() + seconds * 1000
  const load = [scene.command(commandsPerSecond, until), scene.publish(messagesPerSecond, until)]
  const restarts = (async () => {
    for (let i = 0; i < brokerRestarts; i++) {
      await pause((seconds * 1000) / (brokerRestarts + 1))
      await broker.kill()
      await broker.start()
    }
  })()
  let kills = 0
  while (performance.now() + killEveryMs < until) {
    await pause(killEveryMs)
    parts[Math.floor(Math.random() * parts.length)]?.kill()
    kills++
    if (kills % 5 === 0) progress?.(`${kills} kills, ${scene.progress()}`)
  }
  await Promise.all([...load, restarts])
  return kills
}

/** A process of the bridge that is started again when it is killed. */
class Part {
  readonly port: number
  private readonly name: 'api' | 'worker'
  private readonly args: readonly string[]
  private child: ChildProcess
  private output = ''
  private errors = ''
  private isEnding = false

  constructor(name: 'api' | 'worker', args: readonly string[]) {
    this.name = name
    this.args = args
    this.port = name === 'api' ? Number(args.at(-1)) : 0
    this.child = this.start()
  }

  kill(): void {
    this.child.kill('SIGKILL')
  }

  async ready(): Promise<void> {
    while (!this.output.includes('\n')) await pause(10)
  }

  /** What it said on stderr, other than that the broker was away. */
  complaints(): string[] {
    return this.errors.split('\n').filter((line) => line !== '')
  }

  async end(): Promise<void> {
    this.isEnding = true
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = once(this.child, 'exit')
    this.child.kill('SIGTERM')
    const late = setTimeout(() => this.child.kill('SIGKILL'), 10_000)
    await gone
    clearTimeout(late)
  }

  private start(): ChildProcess {
    const command = ['--conditions=@pipit/source', LAUNCHER, 'bridge', this.name, ...this.args]
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (bytes) => (this.output += String(bytes)))
    child.stderr.on('data', (bytes) => (this.errors += String(bytes)))
    child.once('exit', () => {
      if (!this.isEnding) this.child = this.start()
    })
    return child
  }
}

/** Who asks, who subscribes and who publishes; none of them is killed. */
class Scene {
  private readonly engine: Engine
  private readonly apis: readonly Part[]
  private readonly subscriber: MqttClient
  private readonly publisher: MqttClient
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 64 })
  /** Ids of accepted commands by their number. */
  private readonly accepted = new Map<number, string>()
  private readonly seen = new Map<number, number>()
  private readonly published: number[] = []
  private asked = 0
  private readonly run = randomUUID().slice(0, 8)

  constructor(engine: Engine, apis: readonly Part[], subscriber: MqttClient, publisher: MqttClient) {
    this.engine = engine
    this.apis = apis
    this.subscriber = subscriber
    this.publisher = publisher
  }

  /** Settles when the subscriber is there and a worker listens. */
  async begin(): Promise<void> {
    this.subscriber.onMessage((message) => {
      const number = Number(message.text())
      this.seen.set(number, (this.seen.get(number) ?? 0) + 1)
    })
    await this.subscriber.subscribe('command/#', { qos: 2 })
    while ((await this.engine.messages.last('begin')) === undefined) {
      await this.publisher.publish('begin', 'x', { qos: 1 })
      await pause(50)
    }
  }

  progress(): string {
    return `${this.accepted.size} accepted, ${this.seen.size} seen, ${this.published.length} published`
  }

  /** Asks for commands, even numbers at QoS 2, odd ones at QoS 1; each until it is answered with 202. */
  async command(perSecond: number, until: number): Promise<void> {
    const open = new Set<Promise<void>>()
    await paced(perSecond, until, () => {
      const asking = this.ask(this.asked++).finally(() => open.delete(asking))
      open.add(asking)
    })
    await Promise.all(open)
  }

  async publish(perSecond: number, until: number): Promise<void> {
    const open = new Set<Promise<void>>()
    let number = 0
    await paced(perSecond, until, () => {
      // After a lost connection the client sends what was in flight one by one.
      if (open.size >= 100) return
      const n = number++
      const publishing = this.publisher
        .publish(`data/${n % 10}`, String(n), { qos: 2 })
        .then(() => void this.published.push(n))
        .finally(() => open.delete(publishing))
      open.add(publishing)
    })
    await Promise.all(open)
  }

  /** Waits until everything is where it belongs, or nothing moves any more. */
  async settled(): Promise<void> {
    let last = ''
    for (let since = performance.now(); performance.now() - since < PATIENCE_MS; ) {
      const { queued, sent, acknowledged } = await this.engine.commands.counts()
      const end = await this.engine.messages.end()
      const now = `${queued} ${sent} ${acknowledged} ${end} ${this.seen.size}`
      if (now !== last) since = performance.now()
      last = now
      if (queued + sent === 0 && this.seen.size >= this.accepted.size) {
        const { missing } = await this.result()
        if (missing === 0) return
      }
      await pause(200)
    }
  }

  async result(): Promise<Omit<BridgeTortureResult, 'kills' | 'brokerRestarts'>> {
    const numbers = [...this.accepted.keys()]
    const times = (n: number): number => this.seen.get(n) ?? 0
    const { queued, sent, failed, expired, cancelled } = await this.engine.commands.counts()
    const { stored, missing, storedTwice } = await this.log()
    return {
      accepted: numbers.length,
      published: this.published.length,
      stored,
      repeatedAtQos1: numbers.filter((n) => n % 2 === 1 && times(n) > 1).length,
      lost: numbers.filter((n) => times(n) === 0).length,
      duplicated: numbers.filter((n) => n % 2 === 0 && times(n) > 1).length,
      unsettled: queued + sent + failed + expired + cancelled,
      missing,
      storedTwice,
    }
  }

  /** Each command that was lost or came twice. */
  faults(): string[] {
    return Array.from(this.accepted, ([number, id]) => ({ number, id, times: this.seen.get(number) ?? 0 }))
      .filter(({ number, times }) => times === 0 || (number % 2 === 0 && times > 1))
      .map(({ number, id, times }) => `command ${id}, number ${number}: seen ${times} times`)
  }

  async end(): Promise<void> {
    this.agent.destroy()
    await Promise.all([this.subscriber.close({ force: true }), this.publisher.close({ force: true })])
  }

  /** Everything published, by the commands and by the other publisher, is to be in the log once. */
  private async log(): Promise<Pick<BridgeTortureResult, 'stored' | 'missing' | 'storedTwice'>> {
    const times = new Map<string, number>()
    let stored = 0
    for (let after: string | undefined, atEnd = false; !atEnd; ) {
      const page = await this.engine.messages.read({ after, limit: 1000 })
      for (const { topic, payload } of page.messages) {
        if (topic === 'begin') continue
        const key = `${topic.startsWith('data/') ? 'd' : 'c'}${Buffer.from(payload)}`
        times.set(key, (times.get(key) ?? 0) + 1)
        stored++
      }
      after = page.next
      atEnd = page.atEnd
    }
    const wanted = [
      ...this.published.map((n) => `d${n}`),
      ...Array.from(this.accepted.keys(), (n) => `c${n}`),
    ]
    return {
      stored,
      missing: wanted.filter((key) => !times.has(key)).length,
      storedTwice: [...times.values()].filter((n) => n > 1).length,
    }
  }

  private async ask(number: number): Promise<void> {
    const qos = number % 2 === 0 ? 2 : 1
    const body = JSON.stringify({ topic: `command/${number % 50}`, payload: String(number), qos })
    for (;;) {
      const api = this.apis[Math.floor(Math.random() * this.apis.length)]
      const id = api === undefined ? undefined : await this.post(api.port, `${this.run}-${number}`, body)
      if (id !== undefined) {
        this.accepted.set(number, id)
        return
      }
      await pause(20)
    }
  }

  /** @returns the id, or undefined when there was no answer of 202 */
  private post(port: number, key: string, body: string): Promise<string | undefined> {
    return new Promise((resolve) => {
      const headers = { 'content-type': 'application/json', 'idempotency-key': key }
      const asking = request(
        { port, host: '127.0.0.1', method: 'POST', path: '/v1/commands', headers, agent: this.agent },
        (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (part: string) => (text += part))
          response.on('error', () => resolve(undefined))
          response.on('close', () => resolve(undefined))
          response.on('end', () => resolve(response.statusCode === 202 ? idOf(text) : undefined))
        },
      )
      asking.on('error', () => resolve(undefined))
      asking.end(body)
    })
  }
}

function idOf(text: string): string {
  return (JSON.parse(text) as { id: string }).id
}

/** Calls as often in a second, however late the timer comes. */
async function paced(perSecond: number, until: number, act: () => void): Promise<void> {
  const begun = performance.now()
  for (let done = 0; performance.now() < until; ) {
    const due = ((performance.now() - begun) / 1000) * perSecond
    for (; done < due; done++) act()
    await pause(5)
  }
}

/** A client that is back soon after the broker is. */
function quickClient(url: string): Promise<MqttClient> {
  return connect(url, { reconnect: { minimumDelayMs: 50, maximumDelayMs: 500 } })
}
