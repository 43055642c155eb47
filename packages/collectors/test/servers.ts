import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { encode, type Packet, Parser } from '@pipit/protocol'
import { onTestFinished } from 'vitest'

/** What a scripted broker does with a packet. */
export type Script = (packet: Packet, socket: Socket, broker: ScriptedBroker) => void

/** A broker that does what a test says, and no more. */
export class ScriptedBroker {
  port = 0
  connections = 0
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private readonly waiting = new Map<string, (() => void)[]>()

  constructor(script: Script) {
    this.server = createServer((socket) => {
      this.connections++
      this.sockets.add(socket)
      const parser = new Parser()
      socket.on('error', () => {}).on('close', () => this.sockets.delete(socket))
      socket.on('data', (chunk: Buffer) => {
        parser.push(chunk)
        for (let packet = parser.next(); packet !== undefined; packet = parser.next()) {
          script(packet, socket, this)
          for (const resolve of this.waiting.get(packet.type)?.splice(0) ?? []) resolve()
        }
      })
    })
  }

  async listen(): Promise<this> {
    this.server.listen(this.port, '127.0.0.1')
    await once(this.server, 'listening')
    const address = this.server.address()
    this.port = typeof address === 'object' && address !== null ? address.port : 0
    onTestFinished(() => this.close())
    return this
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`
  }

  /** Settles after the next packet of a type. */
  next(type: Packet['type']): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.set(type, [...(this.waiting.get(type) ?? []), resolve])
    })
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy()
    this.server.close()
  }
}

/** Answers as a broker does. */
export const polite: Script = (packet, socket) => {
  if (packet.type === 'CONNECT') {
    socket.write(encode({ type: 'CONNACK', sessionPresent: false, reasonCode: 0 }, 5))
  } else if (packet.type === 'SUBSCRIBE') {
    const reasonCodes = packet.subscriptions.map(() => 0 as const)
    socket.write(encode({ type: 'SUBACK', packetId: packet.packetId, reasonCodes }, 5))
  }
}

export function publishBytes(topic: string, payload: Uint8Array): Uint8Array {
  return encode({ type: 'PUBLISH', topic, payload, qos: 0, retain: false, dup: false, packetId: 0 }, 5)
}

/** A port on which nobody listens any more. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** A listener whose process is stopped and whose backlog is full: the kernel drops what comes. */
export async function blackHole(): Promise<number> {
  const script = `const s = require('node:net').createServer()
    s.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))`
  const child: ChildProcess = spawn(process.execPath, ['--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const fillers: Socket[] = []
  onTestFinished(async () => {
    for (const socket of fillers) socket.destroy()
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
  })
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  const port = Number(String(line))
  child.kill('SIGSTOP')
  // A backlog of 1 takes two; the third gets no answer any more.
  for (let i = 0; i < 2; i++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    fillers.push(socket)
    await once(socket, 'connect')
  }
  return port
}
