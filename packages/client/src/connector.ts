import { MqttError, ProtocolError, type ProtocolVersion } from '@pipit/protocol'
import type { Authentication } from './authentication.ts'
import { ConnectionLostError, ConnectionRefusedError, TimeoutError } from './errors.ts'
import { farewell } from './farewell.ts'
import { connectPacket, handshake, type Login } from './handshake.ts'
import { Link } from './link.ts'
import type { Counters } from './metrics.ts'
import { onAbort } from './on-abort.ts'
import { bytesOf, type Settings } from './options.ts'
import type { Platform } from './platform.ts'
import { Servers } from './servers.ts'
import { PacketTransport } from './transport/packet-transport.ts'
import type { ByteStream, Transport } from './transport/stream.ts'

/** Makes connections: opens the stream, agrees on a version, exchanges CONNECT and CONNACK. */
export class Connector {
  /** What the server knows us by; the server's choice where it made one. */
  clientId: string
  private readonly settings: Settings
  private readonly platform: Platform
  private readonly transportFor: (url: URL) => Transport
  private readonly counters: Counters
  private readonly authentication: Authentication | undefined
  readonly servers: Servers
  /** How to say hello, in this order; only the one the server took, once it has. */
  private greetings: readonly Greeting[]
  private count = 0

  constructor(
    settings: Settings,
    platform: Platform,
    transportFor: (url: URL) => Transport,
    counters: Counters,
    authentication: Authentication | undefined,
  ) {
    this.settings = settings
    this.platform = platform
    this.transportFor = transportFor
    this.counters = counters
    this.authentication = authentication
    this.servers = new Servers(settings.urls, settings.preferFirst)
    this.clientId = settings.clientId
    const bits = settings.bridge ? [true, false] : [false]
    this.greetings = settings.versions.flatMap((version) => bits.map((bridge) => ({ version, bridge })))
  }

  /** One attempt, over all greetings that come into question.
   *  @throws ConnectionRefusedError, ConnectionLostError, TimeoutError, ProtocolError, `signal.reason` */
  async establish(signal: AbortSignal): Promise<Link> {
    this.counters.attempts++
    const login = await this.login()
    let first: unknown
    for (const greeting of this.greetings) {
      try {
        const link = await this.withTimeout(signal, (limited) => this.attempt(greeting, login, limited))
        this.greetings = [greeting]
        this.servers.worked()
        return link
      } catch (error) {
        first ??= error
        if (signal.aborted || !mayBeGreeting(error, greeting)) throw first
      }
    }
    throw first
  }

  private async withTimeout<T>(signal: AbortSignal, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = new AbortController()
    const { connectTimeoutMs } = this.settings
    const timer = this.platform.setTimer(
      () =>
        limit.abort(
          new TimeoutError(`no connection to ${this.servers.current().host} within ${connectTimeoutMs} ms`),
        ),
      connectTimeoutMs,
    )
    const stop = onAbort(signal, () => limit.abort(signal.reason))
    try {
      return await run(limit.signal)
    } finally {
      this.platform.clearTimer(timer)
      stop()
    }
  }

  private async attempt({ version, bridge }: Greeting, login: Login, signal: AbortSignal): Promise<Link> {
    const { settings, platform } = this
    const stream = await this.open(signal)
    const transport = new PacketTransport(stream, {
      defer: platform.defer,
      now: platform.now,
      protocolVersion: version,
      maximumPacketSize: (version === 5 ? settings.properties.maximumPacketSize : undefined) ?? 268435460,
    })
    const stop = onAbort(signal, () => transport.fail(signal.reason))
    try {
      signal.throwIfAborted()
      const authentication = version === 5 ? this.authentication : undefined
      const cleanStart = this.cleanStart(version)
      const connect = connectPacket(settings, version, this.clientId, cleanStart, bridge, login, {
        ...settings.properties,
        ...(await authentication?.first()),
      })
      const connack = await handshake(transport, connect, authentication)
      this.takeClientId(connack.properties?.assignedClientIdentifier)
      this.count++
      const announced = connect.properties ?? {}
      const aliases =
        version === 5
          ? settings.aliases?.(announced, connack.properties ?? {}, settings.topicAliases !== false)
          : undefined
      return new Link(
        this.count,
        transport,
        connack,
        announced,
        settings.keepAlive,
        aliases,
        connect.cleanStart,
      )
    } catch (error) {
      farewell(transport, error)
      throw signal.aborted ? signal.reason : error
    } finally {
      stop()
    }
  }

  private async open(signal: AbortSignal): Promise<ByteStream> {
    try {
      const url = this.servers.current()
      return await unlessAborted(this.transportFor(url)({ url }, signal), signal)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (error instanceof MqttError) throw error
      const text = error instanceof Error ? error.message : String(error)
      throw new DialError(`no connection to ${this.servers.current().host}: ${text}`, { cause: error })
    }
  }

  /** Username and password for this attempt. */
  private async login(): Promise<Login> {
    const { credentials, username, password } = this.settings
    if (credentials === undefined) return { username, password }
    const fresh = await credentials(this.counters.attempts)
    return {
      username: fresh.username,
      password: fresh.password === undefined ? undefined : bytesOf(fresh.password, 'password'),
    }
  }

  /** Only the first connection begins a new session, unless there is none to come back to. */
  private cleanStart(version: ProtocolVersion): boolean {
    if (this.count === 0) return this.settings.cleanStart
    if (version < 5) return this.settings.cleanStart
    return (this.settings.properties.sessionExpiryInterval ?? 0) === 0 && this.settings.cleanStart
  }

  private takeClientId(assigned: string | undefined): void {
    if (assigned === undefined) return
    if (this.clientId !== '') {
      throw new ProtocolError('CONNACK: assignedClientIdentifier; CONNECT had one [MQTT-3.2.2-16]')
    }
    this.clientId = assigned
  }
}

/** A transport that does not heed its signal holds nobody up; the stream it opens too late is closed. */
function unlessAborted(opening: Promise<ByteStream>, signal: AbortSignal): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const stop = onAbort(signal, () => reject(signal.reason))
    opening
      .then((stream) => {
        if (signal.aborted) stream.destroy()
        else resolve(stream)
      }, reject)
      .finally(stop)
  })
}

/** The stream could not be opened: nothing was sent. */
class DialError extends ConnectionLostError {
  override name = 'ConnectionLostError'
}

/** How CONNECT begins: the version, and whether it says that we are a bridge. */
interface Greeting {
  readonly version: ProtocolVersion
  readonly bridge: boolean
}

/** Says whether the server may just not know this greeting: it says so, or hangs up on CONNECT. */
function mayBeGreeting(error: unknown, { version, bridge }: Greeting): boolean {
  if (error instanceof ConnectionRefusedError) return error.reasonCode === 0x84
  const isLost = error instanceof ConnectionLostError && !(error instanceof DialError)
  return (version === 5 || bridge) && isLost
}
