import { encodedLength, NO_PROPERTIES } from '@pipit/protocol'
import { PacketTooLargeError, RequestRefusedError } from './errors.ts'
import type { Link } from './link.ts'
import type { Publication } from './publication.ts'

/** Why the server would not take the message, by what it announced. */
export function faultOf(
  publication: Publication,
  link: Link,
): RequestRefusedError | PacketTooLargeError | undefined {
  const { server } = link
  if (server === NO_PROPERTIES) return undefined
  if (publication.retain && server.retainAvailable === 0) {
    return new RequestRefusedError(
      'publish: retainAvailable is 0; the server takes no retained messages',
      0x9a,
    )
  }
  if (server.maximumQoS !== undefined && publication.qos > server.maximumQoS) {
    return new RequestRefusedError(
      `publish: maximumQoS is ${server.maximumQoS}; the server takes no more`,
      0x9b,
    )
  }
  if (link.maximumPacketSize === Number.POSITIVE_INFINITY) return undefined
  if (publication.properties === undefined) {
    const bound = publication.payload.length + publication.topic.length * 3 + 13
    if (bound <= link.maximumPacketSize) return undefined
  }
  // The identifier is not known yet and takes two bytes whatever it is; an alias can only be added where it fits.
  const packetId = publication.packetId
  if (publication.qos > 0 && packetId === 0) publication.packetId = 1
  const length = encodedLength(publication, link.version)
  publication.packetId = packetId
  if (length <= link.maximumPacketSize) return undefined
  return new PacketTooLargeError(`PUBLISH takes ${length} bytes; the server takes ${link.maximumPacketSize}`)
}
