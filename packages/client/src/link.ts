import {
  type Connack,
  type ConnackProperties,
  type ConnectProperties,
  type Packet,
  ProtocolError,
  type ProtocolVersion,
  type Publish,
} from '@pipit/protocol'
import type { LinkAliases } from './link-aliases.ts'
import type { Ping } from './pings.ts'
import type { PacketTransport } from './transport/packet-transport.ts'

/** One established connection: its transport and what CONNECT and CONNACK agreed on. */
export class Link {
  /** Counts connections of one client from 1. */
  readonly number: number
  readonly transport: PacketTransport
  readonly version: ProtocolVersion
  readonly sessionPresent: boolean
  /** What the server announced; empty before MQTT 5.0. */
  readonly server: ConnackProperties
  /** What we announced. */
  readonly own: ConnectProperties
  /** Seconds; the server's choice where it made one [MQTT-3.2.2-21]. */
  readonly keepAlive: number
  /** PINGREQs that wait for their PINGRESP, in order. */
  private readonly pings: (Ping | undefined)[] = []
  private readonly aliases: LinkAliases | undefined
  readonly maximumPacketSize: number
  /** When it was established, in the platform's clock. */
  readonly since: number

  constructor(
    number: number,
    transport: PacketTransport,
    connack: Connack,
    own: ConnectProperties,
    keepAlive: number,
    aliases: LinkAliases | undefined,
    cleanStart: boolean,
  ) {
    this.number = number
    this.since = transport.lastReceived
    this.transport = transport
    this.version = transport.version
    // MQTT 3.1 does not say; a session that was not to be clean is taken to go on.
    this.sessionPresent = connack.sessionPresent || (this.version === 3 && !cleanStart)
    this.server = connack.properties ?? {}
    this.own = own
    this.keepAlive = this.server.serverKeepAlive ?? keepAlive
    this.aliases = aliases
    this.maximumPacketSize = this.server.maximumPacketSize ?? Number.POSITIVE_INFINITY
  }

  /** How many QoS 1 and 2 messages the server takes at once. */
  get serverReceiveMaximum(): number {
    return this.server.receiveMaximum ?? 65535
  }

  /** How many it may send us; MQTT 3 has no such limit. */
  get ownReceiveMaximum(): number {
    return this.version === 5 ? (this.own.receiveMaximum ?? 65535) : 65535
  }

  /** Sends PINGREQ. @param ping who waits for its answer; absent: keep alive, which only watches the line */
  ping(ping?: Ping): void {
    this.pings.push(ping)
    this.send({ type: 'PINGREQ' })
  }

  /** Takes PINGRESP; one that nobody waits for is ignored. */
  pong(now: number): void {
    this.pings.shift()?.answered(now)
  }

  failPings(error: unknown): void {
    for (const ping of this.pings.splice(0)) ping?.fail(error)
  }

  send(packet: Packet): void {
    // Above the high-water mark it waits for nobody here: acknowledgements and requests are few.
    this.transport.writePacket(packet)
  }

  /** Sends a message, by its alias where it has one. */
  write(packet: Publish): void {
    if (this.aliases === undefined) this.transport.writePacket(packet)
    else this.aliases.write(packet, this)
  }

  /** The topic that a PUBLISH means. @throws ProtocolError on an alias that is not defined */
  topicOf(packet: Publish): string {
    const alias = packet.properties?.topicAlias
    if (alias === undefined) return packet.topic
    if (this.aliases === undefined) throw new ProtocolError(`Topic Alias ${alias}; none is accepted`, 0x94)
    return this.aliases.resolve(packet.topic, alias)
  }
}
