// A link between our broker and Mosquitto, both ways at QoS 1 or 2, while one of them ends and starts again, in turn:
// what a publisher was told is there has to arrive at the other side.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MqttClient, open, type QoS } from '@pipit/client'
import { program } from '../interop.ts'
import { BrokerProcess, freePort } from './brokers.ts'

export interface LinkTortureOptions {
  /** Of both brokers together, in turn. */
  readonly restarts: number
  /** Who has the link; default pipit. */
  readonly linkAt?: 'pipit' | 'mosquitto'
  /** What the link speaks; default mqttv311, Mosquitto's own. */
  readonly version?: 'mqttv311' | 'mqttv50'
  /** Default 1. */
  readonly qos?: QoS
  /** Only ours is restarted, by a kill: at QoS 2 nothing may be repeated then. Mosquitto 2.0.11
   *  itself repeats some when it is restarted. Default false. */
  readonly onlyKills?: boolean
  /** Messages that each direction has to have taken between two restarts; default 40. */
  readonly between?: number
  readonly progress?: (line: string) => void
}

/** What became of one direction's messages. */
export interface DirectionResult {
  /** Acknowledged to the publisher. */
  readonly acknowledged: number
  readonly lost: number
  /** Copies beyond the first. */
  readonly repeated: number
}

export interface LinkTortureResult {
  readonly restarts: number
  readonly out: DirectionResult
  readonly in: DirectionResult
}

/** Messages that a publisher may be ahead of its subscriber: the machine is to carry, not to queue. */
const MOST_AHEAD = 100

/** How long nothing may come before what is missing counts as lost, milliseconds. */
const PATIENCE_MS = 60_000

/** Runs it. @throws Error when a broker does not start */
export async function tortureLinks(options: LinkTortureOptions): Promise<LinkTortureResult> {
  const { restarts, between = 40, qos = 1, onlyKills = false, progress = () => undefined } = options
  const folder = mkdtempSync(join(tmpdir(), 'pipit-links-torture-'))
  const brokers = await start(options, folder)
  const directions = [
    new Direction('out', brokers.pipit.port, brokers.mosquitto.port, qos),
    new Direction('in', brokers.mosquitto.port, brokers.pipit.port, qos),
  ] as const
  try {
    await Promise.all(directions.map((direction) => direction.begin()))
    for (let i = 1; i <= restarts; i++) {
      await Promise.all(directions.map((direction) => direction.acknowledgedMore(between)))
      // Ours is killed; Mosquitto keeps what it was told only when it is asked to end.
      const isOurs = onlyKills || i % 2 === 1
      if (isOurs) await brokers.pipit.kill('SIGKILL')
      else await brokers.mosquitto.kill('SIGTERM')
      await (isOurs ? brokers.pipit : brokers.mosquitto).start()
      progress(`restart ${i}: ${directions.map((direction) => direction.counts).join(', ')}`)
    }
    await Promise.all(directions.map((direction) => direction.acknowledgedMore(between)))
    const results = await Promise.all(directions.map((direction) => direction.finish()))
    const [out, into] = results
    if (out === undefined || into === undefined) throw new Error('two directions')
    return { restarts, out, in: into }
  } finally {
    await Promise.all(directions.map((direction) => direction.close()))
    await Promise.all([brokers.pipit.kill(), brokers.mosquitto.kill()])
    rmSync(folder, { recursive: true, force: true })
  }
}

/** In words, a line for each direction. */
export function describeLinks({ restarts, out, in: into }: LinkTortureResult): string {
  const words = (name: string, { acknowledged, lost, repeated }: DirectionResult): string =>
    `${name}: ${acknowledged} acknowledged, ${lost} lost, ${repeated} repeated`
  return [
    `${restarts} restarts`,
    words('from pipit to mosquitto', out),
    words('from mosquitto to pipit', into),
  ].join('\n')
}

interface Brokers {
  readonly pipit: BrokerProcess
  readonly mosquitto: BrokerProcess
}

async function start(options: LinkTortureOptions, folder: string): Promise<Brokers> {
  const { linkAt = 'pipit', version = 'mqttv311', qos = 1 } = options
  const ports = { pipit: await freePort(), mosquitto: await freePort() }
  const other = linkAt === 'pipit' ? 'mosquitto' : 'pipit'
  const link = [
    'connection torture',
    `address 127.0.0.1:${ports[other]}`,
    `bridge_protocol_version ${version}`,
    `topic torture/${linkAt === 'pipit' ? 'out' : 'in'}/# out ${qos}`,
    `topic torture/${linkAt === 'pipit' ? 'in' : 'out'}/# in ${qos}`,
    'restart_timeout 1',
  ]
  const file = (name: 'pipit' | 'mosquitto'): string => {
    const lines = [
      `listener ${ports[name]} 127.0.0.1`,
      'allow_anonymous true',
      'user root',
      'persistence true',
      `persistence_location ${folder}/`,
      `persistence_file ${name}.db`,
      'max_queued_messages 0',
      'max_inflight_messages 0',
      'log_type error',
      ...(name === linkAt ? link : []),
    ]
    const path = join(folder, `${name}.conf`)
    writeFileSync(path, `${lines.join('\n')}\n`)
    return path
  }
  const mosquitto = program('mosquitto')
  if (mosquitto === undefined) throw new Error('mosquitto is not installed (apt-get install mosquitto)')
  const brokers = {
    pipit: BrokerProcess.pipitWith(ports.pipit, file('pipit')),
    mosquitto: new BrokerProcess(ports.mosquitto, [mosquitto, '-c', file('mosquitto')]),
  }
  await brokers[other].start()
  await brokers[linkAt].start()
  return brokers
}

/** One publisher at one side, one subscriber at the other. */
class Direction {
  private readonly name: string
  private readonly qos: QoS
  private readonly publisher: MqttClient
  private readonly subscriber: MqttClient
  private readonly acknowledged = new Set<string>()
  private readonly received = new Map<string, number>()
  private readonly waiting = new Set<() => void>()
  private isStopping = false
  private publishing: Promise<void> = Promise.resolve()

  constructor(name: 'out' | 'in', from: number, to: number, qos: QoS) {
    this.name = name
    this.qos = qos
    this.publisher = steadfast(from, `${name}-publisher`)
    this.subscriber = steadfast(to, `${name}-subscriber`)
    this.subscriber.onMessage((message) => {
      const text = message.text()
      this.received.set(text, (this.received.get(text) ?? 0) + 1)
      for (const look of this.waiting) look()
    })
  }

  get counts(): string {
    return `${this.name} ${this.acknowledged.size} acknowledged and ${this.received.size} received`
  }

  /** Settles when the first message has come through; from then on what is acknowledged counts. */
  async begin(): Promise<void> {
    await this.subscriber.subscribe(`torture/${this.name}/#`, { qos: this.qos })
    while (!this.received.has('probe')) {
      await this.publisher.publish(`torture/${this.name}/probe`, 'probe', { qos: 1 })
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    this.publishing = this.publish()
  }

  /** Settles when so many more have been acknowledged. */
  acknowledgedMore(count: number): Promise<void> {
    const wanted = this.acknowledged.size + count
    return this.until(() => this.acknowledged.size >= wanted)
  }

  /** Stops publishing, and settles when everything has come, or nothing has for a minute. */
  async finish(): Promise<DirectionResult> {
    this.stop()
    await this.publishing
    const missing = (): number => [...this.acknowledged].filter((text) => !this.received.has(text)).length
    let before = -1
    while (missing() > 0 && missing() !== before) {
      before = missing()
      await Promise.race([
        this.until(() => missing() === 0),
        new Promise((resolve) => setTimeout(resolve, PATIENCE_MS)),
      ])
    }
    let repeated = 0
    for (const [text, count] of this.received) if (text !== 'probe') repeated += count - 1
    return { acknowledged: this.acknowledged.size, lost: missing(), repeated }
  }

  async close(): Promise<void> {
    this.stop()
    await Promise.all([this.publisher.close({ force: true }), this.subscriber.close({ force: true })])
  }

  private stop(): void {
    this.isStopping = true
    for (const look of this.waiting) look()
  }

  private async publish(): Promise<void> {
    for (let number = 1; !this.isStopping; number++) {
      const text = `${this.name} ${number}`
      await this.until(() => this.isStopping || this.acknowledged.size - this.received.size < MOST_AHEAD)
      try {
        await this.publisher.publish(`torture/${this.name}/${number % 10}`, text, { qos: this.qos })
        this.acknowledged.add(text)
        for (const look of this.waiting) look()
      } catch (error) {
        // Nobody was told that it is there: a session that a broker did not keep, or our own end.
        if (!this.isStopping && (error as { code?: string }).code !== 'SESSION_ENDED') throw error
      }
    }
  }

  private until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isSo()) return
        this.waiting.delete(look)
        resolve()
      }
      this.waiting.add(look)
      look()
    })
  }
}

function steadfast(port: number, clientId: string): MqttClient {
  return open(`mqtt://127.0.0.1:${port}`, {
    clientId,
    version: '5.0',
    cleanStart: false,
    properties: { sessionExpiryInterval: 3600 },
    reconnect: { delayMs: () => 50, retryOn: () => true },
    poisonLimit: 1000,
    keepAlive: 5,
  })
}
