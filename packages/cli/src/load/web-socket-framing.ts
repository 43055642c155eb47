import { randomBytes } from 'node:crypto'

/** The client's side of a WebSocket as the load generator needs it: one binary frame for each write, and the
 *  payloads of what comes. The masking key is 0, which leaves the bytes as they are.
 *  @see RFC 6455, 5 */
export class WebSocketFraming {
  /** Settles when the server has accepted. */
  readonly accepted: Promise<void>
  private readonly take: (bytes: Buffer, length: number) => void
  private settle!: { resolve: () => void; reject: (error: Error) => void }
  private open = false
  private held = Buffer.alloc(0)
  /** Bytes of the current frame's payload that have not come. */
  private left = 0
  /** It carries data, and is no ping, pong or close. */
  private isData = false

  /** @param take gets the payloads, in whatever pieces they come */
  constructor(take: (bytes: Buffer, length: number) => void) {
    this.take = take
    this.accepted = new Promise((resolve, reject) => {
      this.settle = { resolve, reject }
    })
  }

  /** The request that opens it. */
  static request(host: string, path: string): string {
    const key = randomBytes(16).toString('base64')
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: ${host}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Protocol: mqtt',
      `Sec-WebSocket-Key: ${key}`,
    ]
    return `${lines.join('\r\n')}\r\n\r\n`
  }

  /** What goes before `length` bytes of payload. */
  header(length: number): Buffer {
    if (length < 126) return Buffer.from([0x82, 0x80 | length, 0, 0, 0, 0])
    const long = length > 65535
    const header = Buffer.alloc(long ? 14 : 8)
    header[0] = 0x82
    header[1] = 0x80 | (long ? 127 : 126)
    if (long) header.writeBigUInt64BE(BigInt(length), 2)
    else header.writeUInt16BE(length, 2)
    return header
  }

  read(chunk: Buffer, length: number): void {
    const held = this.held
    const bytes =
      held.length === 0 ? chunk.subarray(0, length) : Buffer.concat([held, chunk.subarray(0, length)])
    this.held = Buffer.alloc(0)
    const rest = this.open ? bytes : this.readAnswer(bytes)
    if (rest !== undefined) this.readFrames(rest)
  }

  private readAnswer(bytes: Buffer): Buffer | undefined {
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0) {
      this.held = Buffer.from(bytes)
      return undefined
    }
    const status = bytes.subarray(0, bytes.indexOf('\r\n')).toString('latin1')
    if (!/^HTTP\/1\.1 101 /.test(status)) {
      this.settle.reject(new Error(`the server does not open a WebSocket: ${status}`))
      return undefined
    }
    this.open = true
    this.settle.resolve()
    return bytes.subarray(end + 4)
  }

  private readFrames(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (this.left === 0) {
        const size = this.readHeader(bytes, at)
        if (size === 0) {
          this.held = Buffer.from(bytes.subarray(at))
          return
        }
        at += size
      }
      const part = Math.min(this.left, bytes.length - at)
      if (part > 0 && this.isData) this.take(bytes.subarray(at, at + part), part)
      this.left -= part
      at += part
    }
  }

  /** The size of the header at `at`, or 0 when it has not come whole. */
  private readHeader(bytes: Buffer, at: number): number {
    if (bytes.length - at < 2) return 0
    const short = bytes[at + 1]! & 127
    const size = short === 127 ? 10 : short === 126 ? 4 : 2
    if (bytes.length - at < size) return 0
    this.isData = (bytes[at]! & 15) < 8
    this.left =
      short === 127
        ? Number(bytes.readBigUInt64BE(at + 2))
        : short === 126
          ? bytes.readUInt16BE(at + 2)
          : short
    return size
  }
}
