import type { Packet, ProtocolVersion } from '@pipit/protocol'
import { Link, type LinkOwner } from './link.ts'

/** How long to wait before trying to connect again, milliseconds. */
const RETRY_MS = 15

/** A client with a persistent session: the part that publishers and subscribers share. It comes back by itself
 *  as long as it is wanted online. */
export abstract class SessionClient implements LinkOwner {
  /** Times that the broker had forgotten the session. */
  sessionsLost = 0
  readonly clientId: string
  protected readonly version: ProtocolVersion
  /** Connected, CONNACK received. */
  protected online = false
  private readonly port: number
  private link: Link | undefined = undefined
  /** Who hears what the link says: another one for each connection. */
  private owner: LinkOwner | undefined = undefined
  private known = false
  private wanted = false
  private retry: NodeJS.Timeout | undefined = undefined
  private waiting: (() => void)[] = []

  constructor(port: number, clientId: string, version: ProtocolVersion) {
    this.port = port
    this.clientId = clientId
    this.version = version
  }

  /** Connects, and stays connected until `stop`. Settles with the first CONNACK. */
  async start(): Promise<void> {
    this.wanted = true
    if (this.online) return
    const connected = new Promise<void>((resolve) => this.waiting.push(resolve))
    if (this.link === undefined) this.dial()
    return connected
  }

  stop(): void {
    this.wanted = false
    this.leave()
  }

  /** Loses the connection without a word, and comes back. */
  stumble(): void {
    if (!this.online) return
    this.leave()
    this.dial()
  }

  /** Connects a second time while the first connection stands: the broker has to take over. */
  overtake(): void {
    if (!this.online) return
    const old = this.link
    this.online = false
    // What the old one still says is not heard, as if it were stuck in a network that is gone.
    this.dial()
    setTimeout(() => old?.drop(), 50).unref()
  }

  onPacket(packet: Packet): void {
    if (packet.type !== 'CONNACK') return this.handle(packet)
    if (packet.reasonCode !== 0) return this.end()
    this.online = true
    if (this.known && !packet.sessionPresent) this.sessionsLost++
    const isNew = !packet.sessionPresent
    this.known = true
    this.begun(isNew)
    for (const resolve of this.waiting.splice(0)) resolve()
  }

  onEnd(): void {
    this.end()
  }

  protected send(packet: Packet): void {
    this.link?.send(packet)
  }

  /** A connection began. @param isNew the broker knows no session */
  protected abstract begun(isNew: boolean): void
  protected abstract handle(packet: Packet): void

  private dial(): void {
    clearTimeout(this.retry)
    this.retry = undefined
    const { clientId, version } = this
    const properties = version === 5 ? { sessionExpiryInterval: 86400, receiveMaximum: 200 } : undefined
    const hello = {
      type: 'CONNECT',
      protocolVersion: version,
      clientId,
      cleanStart: false,
      keepAlive: 0,
      properties,
    } as const
    const owner: LinkOwner = {
      onPacket: (packet) => {
        if (this.owner === owner) this.onPacket(packet)
      },
      onEnd: () => {
        if (this.owner === owner) this.onEnd()
      },
    }
    this.owner = owner
    this.link = new Link(this.port, hello, owner)
  }

  private leave(): void {
    clearTimeout(this.retry)
    this.retry = undefined
    this.online = false
    this.owner = undefined
    this.link?.drop()
    this.link = undefined
  }

  private end(): void {
    this.leave()
    if (this.wanted) this.retry = setTimeout(() => this.dial(), RETRY_MS)
  }
}
