import {
  type ConnackProperties,
  type ConnectProperties,
  InboundAliases,
  OutboundAliases,
  type Publish,
  TopicAliasOnly,
} from '@pipit/protocol'
import type { Link } from './link.ts'
import { NO_PAYLOAD, Publication } from './publication.ts'

/** The Topic Aliases of one connection, both ways.
 *  @see MQTT 5.0, 3.3.2.3.4 */
export class LinkAliases {
  private readonly inbound: InboundAliases
  private readonly outbound: OutboundAliases
  /** Topics are sent as aliases. */
  private readonly sends: boolean
  private readonly maximumPacketSize: number
  private readonly scratch = new Publication('', NO_PAYLOAD, 0, false)
  private readonly properties: TopicAliasOnly[] = []

  /** @param own what we announced
   *  @param server what the server did
   *  @param sends send topics as aliases, as far as the server takes them */
  constructor(own: ConnectProperties, server: ConnackProperties, sends: boolean) {
    const { topicAliasMaximum = 0, maximumPacketSize } = server
    this.inbound = new InboundAliases(own.topicAliasMaximum ?? 0)
    this.outbound = new OutboundAliases(topicAliasMaximum)
    this.sends = sends && topicAliasMaximum > 0
    this.maximumPacketSize = maximumPacketSize ?? Number.POSITIVE_INFINITY
  }

  /** The topic that an alias means, beside the name that came with it. @throws ProtocolError when it means none */
  resolve(topic: string, alias: number): string {
    return this.inbound.resolve(topic, alias)
  }

  /** Sends a topic the server knows as a number, and tells it the number of one it does not. */
  write(publication: Publish, link: Link): void {
    if (!this.sends) {
      link.transport.writePacket(publication)
      return
    }
    const packet = this.scratch
    packet.topic = publication.topic
    packet.payload = publication.payload
    packet.qos = publication.qos
    packet.retain = publication.retain
    packet.dup = publication.dup
    packet.packetId = publication.packetId
    packet.properties = publication.properties
    this.useAlias(packet)
    link.transport.writePacket(packet)
    packet.payload = NO_PAYLOAD
  }

  private useAlias(packet: Publication): void {
    const known = this.outbound.known(packet.topic)
    if (known === 0 && packet.topic.length * 3 + packet.payload.length + 64 > this.maximumPacketSize) return
    const topicAlias = known === 0 ? this.outbound.assign(packet.topic) : known
    if (known !== 0) packet.topic = ''
    packet.properties =
      packet.properties === undefined ? this.propertiesOf(topicAlias) : { ...packet.properties, topicAlias }
  }

  /** The properties of a message that has none but this Topic Alias: one object for all of them. */
  private propertiesOf(topicAlias: number): TopicAliasOnly {
    this.properties[topicAlias] ??= new TopicAliasOnly(topicAlias)
    return this.properties[topicAlias]
  }
}
