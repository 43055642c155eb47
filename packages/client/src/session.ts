import { type Auth, type Disconnect, type Packet, ProtocolError } from '@pipit/protocol'
import { type Authenticator, Reauthentication } from './authenticator.ts'
import { ConnectionLostError, describeReason, NotSupportedError, StoreError } from './errors.ts'
import { Inbox } from './inbox.ts'
import { Journal } from './journal.ts'
import type { Link } from './link.ts'
import { Counters } from './metrics.ts'
import type { Settings } from './options.ts'
import { Outbox } from './outbox.ts'
import { Pings } from './pings.ts'
import type { Platform } from './platform.ts'
import { Requests } from './requests.ts'
import { Subscriber } from './subscriber.ts'
import type { Telemetry } from './telemetry.ts'

/** What lives as long as the client: messages both ways, requests, subscriptions.
 *  Connections are attached to it one after the other; each packet changes it at once. */
export class Session {
  readonly counters = new Counters()
  readonly outbox: Outbox
  readonly inbox: Inbox
  readonly requests: Requests
  readonly subscriber: Subscriber
  readonly pings = new Pings()
  link: Link | undefined = undefined
  private readonly platform: Platform
  private readonly journal: Journal | undefined
  private readonly authenticator: Authenticator | undefined
  private reauthentication: Reauthentication | undefined = undefined

  constructor(
    settings: Settings,
    platform: Platform,
    report: (error: unknown) => void,
    telemetry: Telemetry | undefined,
  ) {
    const { counters } = this
    this.platform = platform
    this.authenticator = settings.authenticator
    this.journal = settings.store === undefined ? undefined : new Journal(settings.store)
    this.outbox = new Outbox({
      platform,
      queue: settings.queue,
      poisonLimit: settings.poisonLimit,
      journal: this.journal,
      counters,
      report,
    })
    this.requests = new Requests(this.outbox)
    this.subscriber = new Subscriber(this.requests, platform, counters.drop)
    this.inbox = new Inbox(this.subscriber.route, counters, this.journal, report, telemetry)
    this.subscriber.onReceiver = () => this.inbox.claim()
  }

  /** Takes up what an earlier process left in the store.
   *  @returns the Client Identifier to go on with
   *  @throws StoreError */
  async restore(clientId: string, isChosen: boolean): Promise<string> {
    const { journal } = this
    if (journal === undefined) return clientId
    const restored = await journal.open(this.platform.now())
    if (isChosen && restored.clientId !== undefined && restored.clientId !== clientId) {
      throw new StoreError(`the store belongs to the client ${restored.clientId}, not ${clientId}`)
    }
    const goingOn = restored.clientId ?? clientId
    if (restored.clientId === undefined && goingOn !== '') journal.keepClientId(goingOn)
    this.outbox.restore(restored)
    this.inbox.restore(restored.received)
    await journal.commit()
    return goingOn
  }

  attach(link: Link, clientId: string): void {
    this.link = link
    const resumed = link.sessionPresent
    link.transport.onWritable = () => this.outbox.pump()
    this.journal?.keepClientId(clientId)
    this.inbox.attach(link, resumed)
    // Subscribing again does no harm where the server cannot say whether it has to be.
    this.subscriber.attach(link, resumed && link.version > 3)
    this.requests.attach(link)
    this.outbox.attach(link, resumed)
  }

  detach(link: Link, error: Error): void {
    this.link = undefined
    link.transport.onWritable = undefined
    this.inbox.detach()
    this.requests.detach()
    this.outbox.detach({ signature: signatureOf(error), error })
    this.pings.fail(error)
    this.reauthentication?.fail(error)
    this.reauthentication = undefined
    this.counters.bytesSent += link.transport.bytesSent
    this.counters.bytesReceived += link.transport.bytesReceived
    this.counters.connectedMs += this.platform.now() - link.since
  }

  /** The client has ended: nothing stays pending. */
  async end(error: Error, shown: Error | undefined): Promise<void> {
    this.outbox.fail(error)
    this.requests.fail(error)
    this.subscriber.end(shown)
    await this.journal?.close().catch(() => {})
  }

  /** Takes one packet. @throws what ends the connection */
  receive(packet: Packet, link: Link): void {
    switch (packet.type) {
      case 'PUBLISH':
        return this.inbox.publish(packet)
      case 'PUBACK':
        return this.outbox.puback(packet)
      case 'PUBREC':
        return this.outbox.pubrec(packet)
      case 'PUBREL':
        return this.inbox.pubrel(packet)
      case 'PUBCOMP':
        return this.outbox.pubcomp(packet)
      case 'SUBACK':
      case 'UNSUBACK':
        return this.requests.answer(packet)
      case 'PINGRESP':
        return this.pings.answered(this.platform.now())
      case 'AUTH':
        return this.takeAuth(packet, link)
      case 'DISCONNECT':
        throw disconnected(packet, link)
      default:
        throw new ProtocolError(`${packet.type} from the server`)
    }
  }

  /** Begins a re-authentication. @throws NotSupportedError, ConnectionLostError */
  reauthenticate(): Reauthentication {
    const { link, authenticator } = this
    if (authenticator === undefined) throw new NotSupportedError('the client has no authenticator')
    if (link === undefined) throw new ConnectionLostError('there is no connection')
    if (link.version < 5) throw new NotSupportedError('re-authentication needs MQTT 5.0')
    if (this.reauthentication !== undefined) throw new NotSupportedError('a re-authentication is under way')
    const exchange = new Reauthentication(authenticator, link)
    this.reauthentication = exchange
    exchange.begin().catch((error: unknown) => link.transport.interrupt(error))
    return exchange
  }

  private takeAuth(packet: Auth, link: Link): void {
    const exchange = this.reauthentication
    if (exchange === undefined) throw new ProtocolError('AUTH although no authentication is under way')
    exchange.take(packet).then(
      (done) => {
        if (done && this.reauthentication === exchange) this.reauthentication = undefined
      },
      (error: unknown) => link.transport.interrupt(error),
    )
  }
}

function disconnected(packet: Disconnect, link: Link): Error {
  if (link.version < 5) return new ProtocolError('DISCONNECT from a server of MQTT 3')
  const { reasonCode, properties } = packet
  const reason = describeReason(reasonCode, properties?.reasonString)
  return new ConnectionLostError(`the server disconnected: ${reason}`, { reasonCode, properties })
}

/** What a peer that hangs up looks like; a browser shows every connection that broke as a closed WebSocket. */
const CLOSED_BY_PEER: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'WEBSOCKET_CLOSED'])

/** How a connection ended, when the server ended it: perhaps because of a message. */
function signatureOf(error: Error): string | undefined {
  if (!(error instanceof ConnectionLostError)) return undefined
  if (error.reasonCode !== undefined) return `DISCONNECT ${describeReason(error.reasonCode)}`
  const code = (error.cause as { code?: unknown } | undefined)?.code
  return error.cause === undefined || CLOSED_BY_PEER.has(code) ? 'closed' : undefined
}
