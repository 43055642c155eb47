import { decodeBody } from './decode.ts'
import { Frames, LARGEST_PACKET } from './frames.ts'
import type { Packet, ProtocolVersion } from './packets.ts'
import { Reader } from './reader.ts'
import { TopicCache } from './topic-cache.ts'

export interface ParserOptions {
  /** What the connection speaks; a CONNECT that is read sets it. Default 5. */
  readonly protocolVersion?: ProtocolVersion
  /** Bytes, fixed header included; default 268435460, the most MQTT can express. */
  readonly maximumPacketSize?: number
  /** Refuse control and non-characters in strings too, as 1.5.4 allows; default true. */
  readonly strict?: boolean
}

/** Turns bytes, in any slicing, into packets.
 *
 *  ```ts
 *  parser.push(chunk)
 *  for (let packet = parser.next(); packet !== undefined; packet = parser.next()) handle(packet)
 *  ```
 *  Payloads and binary fields are views of the chunk: copy what outlives it, if the chunk is reused. */
export class Parser {
  protocolVersion: ProtocolVersion
  private readonly frames: Frames
  private readonly reader: Reader
  private readonly topics = new TopicCache()

  constructor(options: ParserOptions = {}) {
    this.protocolVersion = options.protocolVersion ?? 5
    this.frames = new Frames(options.maximumPacketSize ?? LARGEST_PACKET)
    this.reader = new Reader(options.strict ?? true)
  }

  get maximumPacketSize(): number {
    return this.frames.maximumPacketSize
  }

  set maximumPacketSize(bytes: number) {
    this.frames.maximumPacketSize = bytes
  }

  /** Says whether a packet has begun and not ended. */
  get midPacket(): boolean {
    return this.frames.midPacket
  }

  /** Hands over the next bytes; call `next` until it gives undefined before the next push. */
  push(chunk: Uint8Array): void {
    this.frames.push(chunk)
  }

  /** The next whole packet, or undefined when more bytes are needed.
   *  @throws MalformedPacketError, ProtocolError; the connection is then to be closed */
  next(): Packet | undefined {
    const frames = this.frames
    if (!frames.next()) {
      this.topics.release()
      return undefined
    }
    this.reader.reset(frames.bytes, frames.bodyStart, frames.end)
    const packet = decodeBody(this.reader, frames.bytes[frames.start]!, this.protocolVersion, this.topics)
    if (packet.type === 'CONNECT') this.protocolVersion = packet.protocolVersion
    return packet
  }
}
