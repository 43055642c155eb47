import { type Disconnect, type Packet, ProtocolError } from '@pipit/protocol'
import type { Authentication } from './authentication.ts'
import { describeReason } from './describe-reason.ts'
import { ConnectionLostError } from './errors.ts'
import { Inbox } from './inbox.ts'
import type { Journal } from './journal.ts'
import type { Link } from './link.ts'
import { Counters } from './metrics.ts'
import type { Settings } from './options.ts'
import { Outbox } from './outbox.ts'
import type { Parts } from './parts.ts'
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
  link: Link | undefined = undefined
  private readonly platform: Platform
  private readonly journal: Journal | undefined
  /** Enhanced authentication, when the client is to use it. */
  readonly authentication: Authentication | undefined

  constructor(
    settings: Settings,
    platform: Platform,
    report: (error: unknown) => void,
    telemetry: Telemetry | undefined,
    parts: Parts,
  ) {
    const { counters } = this
    const { authenticator, store } = settings
    const { quarantine } = parts
    this.platform = platform
    this.authentication = authenticator && parts.authentication?.(authenticator)
    this.journal = store && parts.durability?.(store)
    this.outbox = new Outbox({
      platform,
      queue: settings.queue ?? {},
      policies: parts.policies,
      expiry: parts.expiry?.(platform),
      quarantine: quarantine && ((outbound) => quarantine(settings.poisonLimit, outbound)),
      journal: this.journal,
      counters,
      report,
    })
    this.requests = new Requests(this.outbox)
    this.subscriber = new Subscriber(this.requests, platform, counters.drop, parts.identifiers?.())
    this.inbox = new Inbox(this.subscriber.route, counters, this.journal, report, telemetry)
    this.subscriber.onReceiver = () => this.inbox.claim()
  }

  /** Takes up what an earlier process left in the store.
   *  @returns the Client Identifier to go on with
   *  @throws StoreError */
  async restore(clientId: string, isChosen: boolean): Promise<string> {
    const { journal } = this
    if (journal === undefined) return clientId
    const restored = await journal.restore(this.platform.now(), clientId, isChosen)
    this.outbox.restore(restored)
    this.inbox.restore(restored.received)
    await journal.commit()
    return restored.clientId
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
    this.outbox.detach(error)
    link.failPings(error)
    this.authentication?.fail(error)
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
        return link.pong(this.platform.now())
      case 'AUTH':
        if (this.authentication !== undefined) return this.authentication.take(packet, link)
        break
      case 'DISCONNECT':
        throw disconnected(packet, link)
    }
    throw new ProtocolError(`${packet.type} from the server`)
  }
}

function disconnected(packet: Disconnect, link: Link): Error {
  if (link.version < 5) return new ProtocolError('DISCONNECT from the server; MQTT 3 has none')
  const { reasonCode, properties } = packet
  const reason = describeReason(reasonCode, properties?.reasonString)
  return new ConnectionLostError(`the server disconnected: ${reason}`, { reasonCode, properties })
}
