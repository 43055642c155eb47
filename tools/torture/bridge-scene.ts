import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import type { Engine } from '@pipit/bridge'
import type { MqttClient } from '@pipit/client'
import type { Part } from './bridge-part.ts'

/** What came of the load. Those from `lost` on are faults. */
export interface SceneResult {
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

/** How long nothing may change before what is missing counts as lost. */
const PATIENCE_MS = 15_000

/** Who asks, who subscribes and who publishes; none of them is killed. */
export class Scene {
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

  async result(): Promise<SceneResult> {
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
  private async log(): Promise<Pick<SceneResult, 'stored' | 'missing' | 'storedTwice'>> {
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
