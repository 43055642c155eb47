import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { hex } from './packets.ts'
import type { Step } from './row.ts'
import type { World } from './world.ts'

const CONTINUATION = 0
const TEXT = 1
const BINARY = 2

/** What a server sent in one WebSocket frame. */
interface WebSocketFrame {
  readonly opcode: number
  readonly payload: Buffer
}

/** A WebSocket client made by hand, which sends frames as a row wants them. */
class WebSocketPeer {
  /** The answer to the upgrade, with its headers. */
  answer = ''
  private readonly socket: Socket
  private received = Buffer.alloc(0)
  private ended = false
  private wake: (() => void) | undefined

  constructor(port: number, protocols: string | undefined) {
    this.socket = connect({ host: '127.0.0.1', port })
    this.socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk])
      this.wake?.()
    })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.ended = true
      this.wake?.()
    })
    const asked = protocols === undefined ? '' : `Sec-WebSocket-Protocol: ${protocols}\r\n`
    this.socket.write(
      `GET /mqtt HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${asked}` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    )
  }

  /** Waits for the end of the HTTP answer. */
  async handshake(): Promise<void> {
    await this.until(() => this.received.includes('\r\n\r\n'))
    const end = this.received.indexOf('\r\n\r\n') + 4
    this.answer = this.received.subarray(0, end).toString('latin1')
    this.received = this.received.subarray(end)
  }

  send(opcode: number, fin: boolean, payload: Uint8Array): void {
    const mask = randomBytes(4)
    const masked = payload.map((byte, i) => byte ^ mask[i & 3]!)
    const header = [(fin ? 0x80 : 0) | opcode, 0x80 | payload.length]
    this.socket.write(Buffer.concat([Buffer.from(header), mask, masked]))
  }

  /** The next frame; frames of servers are short here, and not masked. */
  async frame(): Promise<WebSocketFrame> {
    await this.until(() => this.received.length >= 2 && this.received.length >= 2 + this.received[1]!)
    const size = 2 + this.received[1]!
    const frame = { opcode: this.received[0]! & 15, payload: this.received.subarray(2, size) }
    this.received = this.received.subarray(size)
    return frame
  }

  async closed(): Promise<void> {
    await this.until(() => this.ended)
  }

  destroy(): void {
    this.socket.destroy()
  }

  private async until(happened: () => boolean): Promise<void> {
    while (!happened()) {
      if (this.ended) throw new Error('the WebSocket was closed')
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('nothing came over the WebSocket')), 5000)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

const peers = new WeakMap<World, WebSocketPeer>()

/** Connects to a WebSocket listener of the server, offering these subprotocols. */
export function opens(protocols: string | undefined, check: (answer: string) => void = () => {}): Step {
  return ours(`opens a WebSocket for ${protocols ?? 'nothing'}`, async (world) => {
    if (world.broker === undefined) throw new Error('not in this process')
    const listener = await world.broker.listenWebSocket({ port: 0 })
    const peer = new WebSocketPeer(listener.port, protocols)
    peers.set(world, peer)
    world.finally(() => peer.destroy())
    await peer.handshake()
    check(peer.answer)
  })
}

/** Sends bytes in one binary frame. */
export function sendsFrame(payload: Uint8Array | string): Step {
  return sends(BINARY, true, payload)
}

/** Sends bytes in a binary message of several frames. */
export function sendsFragments(...parts: (Uint8Array | string)[]): Step[] {
  return parts.map((part, i) => sends(i === 0 ? BINARY : CONTINUATION, i === parts.length - 1, part))
}

/** Sends bytes in a text frame, which is no MQTT. */
export function sendsText(payload: Uint8Array | string): Step {
  return sends(TEXT, true, payload)
}

/** Expects these bytes next, in binary frames, however they are cut. */
export function expectsBytes(digits: string): Step {
  return ours(`expects ${digits}`, async (world) => {
    const wanted = hex(digits)
    let came = Buffer.alloc(0)
    while (came.length < wanted.length) {
      const { opcode, payload } = await peerOf(world).frame()
      if (opcode !== BINARY) throw new Error(`a frame of opcode ${opcode}: ${payload.toString('hex')}`)
      came = Buffer.concat([came, payload])
    }
    if (!came.equals(wanted)) throw new Error(`wanted ${wanted.toString('hex')}, got ${came.toString('hex')}`)
  })
}

/** Expects a close, with or without a close frame. */
export function expectsClose(): Step {
  return ours('expects the WebSocket to be closed', async (world) => {
    await peerOf(world).closed()
  })
}

function sends(opcode: number, fin: boolean, payload: Uint8Array | string): Step {
  const bytes = typeof payload === 'string' ? hex(payload) : payload
  return ours(`sends a frame of opcode ${opcode}`, (world) => peerOf(world).send(opcode, fin, bytes))
}

function peerOf(world: World): WebSocketPeer {
  const peer = peers.get(world)
  if (peer === undefined) throw new Error('no WebSocket was opened in this row')
  return peer
}

function ours(name: string, run: Step['run']): Step {
  return { name, oursOnly: true, run }
}
