/** RFC 6455's framing without I/O, the client's side: bytes in any slicing in, messages out.
 *  Only what MQTT needs: binary messages, ping, pong, close. */

export const CONTINUATION = 0
export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
export const PING = 9
export const PONG = 10

/** Beyond this a frame is refused: MQTT's largest packet and room for what came with it. */
const LARGEST_FRAME = 300_000_000
const NOTHING = new Uint8Array(0)

/** The peer broke RFC 6455. `status` is what the close frame says. */
export class WebSocketError extends Error {
  readonly code = 'WEBSOCKET_PROTOCOL'
  readonly status: number

  constructor(message: string, status: number) {
    super(message)
    this.name = 'WebSocketError'
    this.status = status
  }
}

export interface FrameReceiver {
  /** Payload bytes of a binary message, as they come: MQTT packets may span frames anyway [MQTT-6.0.0-2]. */
  binary(bytes: Uint8Array): void
  ping(payload: Uint8Array): void
  /** @param status undefined: the peer gave none */
  close(status: number | undefined, payload: Uint8Array): void
}

/** Reads frames of a server, which are never masked. */
export class FrameReader {
  private readonly receiver: FrameReceiver
  private held: Uint8Array = NOTHING
  /** Payload bytes of a binary frame still to come. */
  private left = 0
  /** A binary message has begun, and its last frame has not been seen. */
  private inMessage = false

  constructor(receiver: FrameReceiver) {
    this.receiver = receiver
  }

  /** @throws WebSocketError */
  push(chunk: Uint8Array): void {
    let bytes = chunk
    if (this.held.length > 0) {
      bytes = new Uint8Array(this.held.length + chunk.length)
      bytes.set(this.held)
      bytes.set(chunk, this.held.length)
      this.held = NOTHING
    }
    let at = 0
    while (at < bytes.length) {
      if (this.left > 0) {
        const take = Math.min(this.left, bytes.length - at)
        this.left -= take
        this.receiver.binary(bytes.subarray(at, at + take))
        at += take
        continue
      }
      const next = this.readFrame(bytes, at)
      if (next < 0) {
        this.held = bytes.slice(at)
        return
      }
      at = next
    }
  }

  /** Reads a frame's head, and the whole of a control frame. @returns what follows, or -1: more is needed */
  private readFrame(bytes: Uint8Array, at: number): number {
    if (bytes.length - at < 2) return -1
    const first = bytes[at]!
    const second = bytes[at + 1]!
    const opcode = first & 15
    const final = (first & 0x80) !== 0
    if (first & 0x70) throw new WebSocketError('reserved bits are set and no extension was agreed on', 1002)
    if (second & 0x80) throw new WebSocketError('a frame of the server is masked', 1002)
    let length = second
    let start = at + 2
    if (length === 126) {
      if (bytes.length < start + 2) return -1
      length = (bytes[start]! << 8) | bytes[start + 1]!
      start += 2
    } else if (length === 127) {
      if (bytes.length < start + 8) return -1
      const view = new DataView(bytes.buffer, bytes.byteOffset + start, 8)
      length = view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4)
      start += 8
    }
    if (opcode >= 8) return this.readControl(bytes, start, length, opcode, final)
    this.checkData(opcode, length)
    this.inMessage = !final
    this.left = length
    return start
  }

  private checkData(opcode: number, length: number): void {
    if (opcode === TEXT) throw new WebSocketError('a text frame; MQTT is binary [MQTT-6.0.0-1]', 1003)
    if (opcode !== BINARY && opcode !== CONTINUATION) throw new WebSocketError(`opcode ${opcode}`, 1002)
    if ((opcode === CONTINUATION) !== this.inMessage)
      throw new WebSocketError('a frame out of its message', 1002)
    if (length > LARGEST_FRAME) throw new WebSocketError(`a frame of ${length} bytes`, 1009)
  }

  private readControl(
    bytes: Uint8Array,
    start: number,
    length: number,
    opcode: number,
    final: boolean,
  ): number {
    if (!final || length > 125) throw new WebSocketError('a control frame in parts or over 125 bytes', 1002)
    const end = start + length
    if (bytes.length < end) return -1
    const payload = bytes.slice(start, end)
    if (opcode === PING) this.receiver.ping(payload)
    else if (opcode === CLOSE) {
      if (length === 1) throw new WebSocketError('a close frame of 1 byte', 1002)
      this.receiver.close(length < 2 ? undefined : (payload[0]! << 8) | payload[1]!, payload)
    } else if (opcode !== PONG) throw new WebSocketError(`opcode ${opcode}`, 1002)
    return end
  }
}

/** One whole frame of the client, masked as every frame of a client must be.
 *  @param mask 4 random bytes */
export function frameOf(opcode: number, payload: Uint8Array, mask: Uint8Array): Uint8Array {
  const length = payload.length
  const head = length < 126 ? 2 : length < 65536 ? 4 : 10
  const frame = new Uint8Array(head + 4 + length)
  frame[0] = 0x80 | opcode
  if (head === 2) frame[1] = 0x80 | length
  else if (head === 4) {
    frame[1] = 0x80 | 126
    frame[2] = length >> 8
    frame[3] = length
  } else {
    frame[1] = 0x80 | 127
    new DataView(frame.buffer).setUint32(6, length)
  }
  frame.set(mask, head)
  const start = head + 4
  const [m0, m1, m2, m3] = mask as unknown as [number, number, number, number]
  let i = 0
  for (; i + 3 < length; i += 4) {
    frame[start + i] = payload[i]! ^ m0
    frame[start + i + 1] = payload[i + 1]! ^ m1
    frame[start + i + 2] = payload[i + 2]! ^ m2
    frame[start + i + 3] = payload[i + 3]! ^ m3
  }
  for (; i < length; i++) frame[start + i] = payload[i]! ^ mask[i & 3]!
  return frame
}
