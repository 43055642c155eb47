import type { Redis } from 'ioredis'
import { type BridgeError, EngineUnavailableError, EngineUnsuitableError, LeaseLostError } from '../errors.ts'
import type { RedisAddress } from './address.ts'
import { type Client, newClient } from './clients.ts'
import { DiskBarrier } from './disk-barrier.ts'
import type { Reply } from './replies.ts'
import { KEYS, type KeyName, type Script } from './script.ts'
import { factsOf, judge, type Verdict } from './suitability.ts'

export interface LinkOptions {
  readonly address: RedisAddress
  /** After which a call has failed. */
  readonly commandTimeoutMs: number
  readonly log: (line: string) => void
  /** Told of what comes over the bridge's channel. */
  readonly heard: (text: string) => void
}

export interface RunOptions {
  /** The session, or the hook, of keys that are of one. */
  readonly of?: string
  /** Settle when it is on the disk. */
  readonly isDurable?: boolean
}

export type Argument = string | number | Uint8Array

/** How long the first call waits for the first connection. */
const OPEN_WITHIN_MS = 5_000
const EXAMINE_AGAIN_MS = 1_000

/** The connections to Redis. A call is answered, or rejects with EngineUnavailableError, soon: nothing waits for a
 *  Redis that is away, and who calls again later finds it when it is back. */
export class Link {
  /** Grows with each call that had no answer: see `LEASES`. */
  generation = 0
  private readonly options: LinkOptions
  private readonly prefix: string
  private client: Client | undefined = undefined
  private subscriber: Client | undefined = undefined
  private barrier: DiskBarrier | undefined = undefined
  private isUp = false
  private isClosed = false
  /** Why it is not up. */
  private fault = 'it is not connected yet'
  /** Why it is not used though it is there. */
  private refusal: string | undefined = undefined
  private warning: string | undefined = undefined
  private readonly open: Promise<void>
  private opened: () => void = () => {}
  private again: NodeJS.Timeout | undefined = undefined
  private readonly calls = new Set<Promise<unknown>>()

  constructor(options: LinkOptions) {
    this.options = options
    this.prefix = `{pipit:${options.address.name}}:`
    this.open = new Promise((resolve) => {
      this.opened = resolve
    })
    void this.connect().catch((error: Error) => this.down(error.message))
  }

  /** @throws LeaseLostError, EngineUnavailableError */
  async run(script: Script, args: readonly Argument[], options: RunOptions = {}): Promise<Reply> {
    const keys = script.keys.map((name) => this.key(name, options.of))
    const given = [keys.length, ...keys, ...args.map(plain)]
    return this.counted(async (client) => {
      const reply = await client.callBuffer('evalsha', [script.sha, ...given]).catch((error: Error) => {
        // Redis was started again, or somebody has flushed its scripts.
        if (!error.message.startsWith('NOSCRIPT')) throw error
        return client.callBuffer('eval', [script.text, ...given])
      })
      if (options.isDurable === true) await this.barrier?.passed()
      return reply as Reply
    })
  }

  /** Calls a command of Redis on one key. @throws EngineUnavailableError */
  async call(command: string, name: KeyName, args: readonly Argument[], of?: string): Promise<Reply> {
    const given = [this.key(name, of), ...args.map(plain)]
    return this.counted(async (client) => (await client.callBuffer(command, given)) as Reply)
  }

  /** Says something to the others; it may be lost. */
  tell(text: string): void {
    if (this.isUp) this.client?.publish(this.channel, text).catch(() => {})
  }

  /** Settles when what was called is over. */
  async close(): Promise<void> {
    while (this.calls.size > 0) await Promise.allSettled(this.calls)
    this.isClosed = true
    this.down('it has been closed')
    this.barrier?.end()
    this.subscriber?.disconnect()
    this.client?.disconnect()
  }

  private get channel(): string {
    return `${this.prefix}changes`
  }

  private key(name: KeyName, of = ''): string {
    return `${this.prefix}${KEYS[name]}${KEYS[name].endsWith(':') ? of : ''}`
  }

  private async counted(work: (client: Client) => Promise<Reply>): Promise<Reply> {
    const call = this.attempt(work)
    this.calls.add(call)
    try {
      return await call
    } finally {
      this.calls.delete(call)
    }
  }

  private async attempt(work: (client: Client) => Promise<Reply>): Promise<Reply> {
    const client = await this.ready()
    try {
      return await work(client)
    } catch (error) {
      throw this.failed(error as Error, client)
    }
  }

  private async ready(): Promise<Client> {
    if (!this.isUp && !this.isClosed) await this.open
    if (this.isUp && this.client !== undefined) return this.client
    if (this.refusal === undefined || this.isClosed) throw this.unavailable(this.fault)
    throw new EngineUnsuitableError(`the queue on ${this.options.address.label}: ${this.refusal}`)
  }

  private failed({ message }: Error, client: Client): BridgeError {
    const lost = /^LEASELOST (\S+)/.exec(message)?.[1]
    if (lost !== undefined) return new LeaseLostError(lost)
    this.generation++
    if (message !== 'Command timed out') return this.unavailable(inWords(message, this.fault))
    // It may be gone without a word: another connection shows.
    if (client.status === 'ready' && !('nodes' in client)) client.disconnect(true)
    return this.unavailable(`no answer within ${this.options.commandTimeoutMs} ms`)
  }

  /** Without a cause: those of ioredis hold the arguments of the call, passwords among them. */
  private unavailable(said: string): EngineUnavailableError {
    return new EngineUnavailableError(`the queue on ${this.options.address.label}: ${said}`)
  }

  private async connect(): Promise<void> {
    const { address, commandTimeoutMs, heard } = this.options
    const late = setTimeout(() => this.opened(), OPEN_WITHIN_MS)
    void this.open.then(() => clearTimeout(late))
    const client = await newClient(address, commandTimeoutMs)
    this.client = client
    client.on('ready', () => void this.examine(client))
    client.on('connect', () => {
      // Until it has read what it keeps.
      if (!this.isUp) this.fault = 'it does not take commands yet'
    })
    client.on('error', (error: Error) => this.down(inWords(error.message, error.message)))
    client.on('close', () => this.down('the connection was lost'))
    // A connection that listens can do nothing else, except in a Cluster, which has more than one.
    this.subscriber = 'nodes' in client ? client : await newClient(address, commandTimeoutMs)
    const { subscriber } = this
    subscriber.on('error', () => {})
    subscriber.on('ready', () => void subscriber.subscribe(this.channel).catch(() => {}))
    subscriber.on('message', (_: string, text: string) => heard(text))
    if (this.isClosed) await this.close()
  }

  private down(fault: string): void {
    clearTimeout(this.again)
    // The first word says more than that the connection has ended.
    if (this.isUp || fault !== 'the connection was lost') this.fault = fault
    this.isUp = false
    this.refusal = undefined
    this.opened()
  }

  /** Looks at what it has connected to: it is used when nothing will be thrown away. */
  private async examine(client: Client): Promise<void> {
    try {
      const { database, isCluster } = this.options.address
      // ioredis would go on with the first one if there is no such database.
      if (database !== 0) await client.call('select', database)
      const verdict = judge(await factsOf(client), isCluster)
      if (client.status !== 'ready' || this.isClosed) return
      await this.take(verdict)
      if (verdict.refusal === undefined) return
    } catch (error) {
      this.down((error as Error).message)
    }
    if (client.status === 'ready') this.again = setTimeout(() => void this.examine(client), EXAMINE_AGAIN_MS)
  }

  private async take({ refusal, warning, waits }: Verdict): Promise<void> {
    const { address, log } = this.options
    if (refusal !== undefined) {
      this.down(refusal)
      this.refusal = refusal
      return
    }
    if (warning !== undefined && warning !== this.warning) log(`the queue on ${address.label}: ${warning}`)
    this.warning = warning
    if (!waits) this.unbar()
    else if (this.barrier === undefined) this.barrier = await this.newBarrier()
    this.isUp = true
    this.opened()
  }

  private unbar(): void {
    this.barrier?.end()
    this.barrier = undefined
  }

  private async newBarrier(): Promise<DiskBarrier> {
    const { address, commandTimeoutMs } = this.options
    const client = (await newClient(address, 2 * commandTimeoutMs)) as Redis
    client.on('error', () => {})
    await new Promise<void>((resolve) => client.once('ready', () => resolve()))
    return new DiskBarrier(client, this.key('meta'), commandTimeoutMs)
  }
}

function plain(value: Argument): string | number | Buffer {
  if (typeof value === 'string' || typeof value === 'number' || Buffer.isBuffer(value)) return value
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

/** What ioredis and Redis say, for who reads it. */
function inWords(message: string, fault: string): string {
  if (message.startsWith('Reached the max retries') || message === 'Connection is closed.')
    return 'the connection was lost'
  if (message.startsWith("Stream isn't writeable")) return fault
  if (message.startsWith('OOM') || message.includes('-OOM')) return `its memory is full: ${message}`
  return message
}
