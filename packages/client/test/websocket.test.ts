import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { encode, type Packet } from '@pipit/protocol'
import { afterEach, describe, expect, it } from 'vitest'
import { connect, type MqttClient, open } from '../src/index.ts'
import { FrameReader, type FrameReceiver } from '../src/transport/websocket-frames.ts'
import { Peer } from './scripted-broker.ts'
import { portOf } from './servers.ts'
import { type WsStream, webSocketServer } from './websocket-server.ts'

const servers: { close(): unknown }[] = []
const clients: MqttClient[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close({ force: true })
  for (const server of servers.splice(0)) server.close()
})

const pattern = (length: number): Buffer =>
  Buffer.from(new Uint8Array(length).map((_, i) => (i * 31) ^ (i >> 8)))

async function connected(): Promise<{ client: MqttClient; peer: Peer; stream: WsStream }> {
  const { port, next } = await webSocketServer(servers)
  const connecting = connect(`ws://127.0.0.1:${port}/mqtt`, { version: '5.0', reconnect: false })
  const stream = await next()
  const peer = new Peer(stream)
  await peer.welcome()
  const client = await connecting
  clients.push(client)
  return { client, peer, stream }
}

function arrival(client: MqttClient): Promise<Uint8Array> {
  return new Promise((resolve) => client.onMessage((message) => resolve(message.payload)))
}

const publish = (payload: Uint8Array): Packet => ({
  type: 'PUBLISH',
  topic: 'large',
  payload,
  qos: 1,
  retain: false,
  dup: false,
  packetId: 7,
})

describe('MQTT over WebSocket with the ws package', () => {
  for (const size of [70_000, 1_048_576]) {
    it(`carries ${size} bytes both ways`, async () => {
      const { client, peer } = await connected()
      const published = client.publish('large', pattern(size), { qos: 1 })
      const sent = await peer.expect('PUBLISH')
      expect(Buffer.compare(sent.payload, pattern(size))).toBe(0)
      peer.send({ type: 'PUBACK', packetId: sent.packetId, reasonCode: 0 })
      expect(await published).toMatchObject({ reasonCode: 0 })

      const arrived = arrival(client)
      peer.send(publish(pattern(size)))
      expect(Buffer.compare(await arrived, pattern(size))).toBe(0)
      await peer.expect('PUBACK')
    })

    it(`takes ${size} bytes in fragments with control frames in between`, async () => {
      const { client, peer, stream } = await connected()
      const pongs: string[] = []
      stream.socket.on('pong', (payload) => pongs.push(payload.toString()))
      const arrived = arrival(client)
      const bytes = encode(publish(pattern(size)), 5)
      const step = Math.ceil(bytes.length / 7)
      for (let at = 0; at < bytes.length; at += step) {
        stream.socket.send(bytes.subarray(at, at + step), { fin: at + step >= bytes.length })
        stream.socket.ping(`ping ${at / step}`)
        stream.socket.pong('nobody asked')
      }
      expect(Buffer.compare(await arrived, pattern(size))).toBe(0)
      await peer.expect('PUBACK')
      while (pongs.length < 7) await once(stream.socket, 'pong')
      expect(pongs).toEqual(Array.from({ length: 7 }, (_, i) => `ping ${i}`))
    })
  }

  it('leaves a server that sends text, and says why', async () => {
    const { client, stream } = await connected()
    const closed = once(stream.socket, 'close')
    stream.socket.send('text')
    expect((await closed)[0]).toBe(1003)
    expect(await client.closed).toMatchObject({ cause: { code: 'WEBSOCKET_PROTOCOL', status: 1003 } })
  })

  it('tells with what status the server closed', async () => {
    const { client, stream } = await connected()
    stream.socket.close(1009, 'too much')
    const error = await client.closed
    expect(error).toMatchObject({
      code: 'CONNECTION_LOST',
      cause: { code: 'WEBSOCKET_CLOSED', status: 1009 },
    })
    expect(error?.message).toContain('1009: too much')
  })

  it('quarantines a message on which the server closes the WebSocket each time', async () => {
    const { port, next } = await webSocketServer(servers)
    const client = open(`ws://127.0.0.1:${port}/mqtt`, {
      version: '5.0',
      reconnect: { minimumDelayMs: 0, maximumDelayMs: 0 },
    })
    clients.push(client)
    const poison = client.publish('poison', 'x', { qos: 1 })
    const verdict = expect(poison).rejects.toMatchObject({ code: 'POISON_MESSAGE' })
    for (let time = 0; time < 3; time++) {
      const stream = await next()
      const peer = new Peer(stream)
      await peer.welcome({ sessionPresent: time > 0 })
      await peer.expect('PUBLISH')
      stream.socket.close(1002)
    }
    const peer = new Peer(await next())
    await peer.welcome({ sessionPresent: true })
    await verdict
  })
})

/** A server that shows the frames as they come. */
async function rawServer(): Promise<{ url: string; upgraded: Promise<Socket> }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  servers.push(server)
  const upgraded = once(server, 'connection').then(async ([socket]: Socket[]) => {
    const [head] = (await once(socket!, 'data')) as [Buffer]
    const key = /Sec-WebSocket-Key: (.*)\r\n/.exec(head.toString())![1]!
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    socket!.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    servers.push({ close: () => socket!.destroy() })
    return socket!
  })
  return { url: `ws://127.0.0.1:${portOf(server)}/mqtt`, upgraded }
}

describe('frames of the client', () => {
  it('are masked, each with bytes of its own', async () => {
    const { url, upgraded } = await rawServer()
    const connecting = connect(url, { clientId: 'masked', version: '5.0', properties: {} })
    const socket = await upgraded
    const [frame] = (await once(socket, 'data')) as [Buffer]
    expect([frame[0], frame[1]! & 0x80]).toEqual([0x82, 0x80])
    const masks = [frame.subarray(2, 6).toString('hex')]
    const plain = Buffer.from(frame.subarray(6).map((byte, i) => byte ^ frame[2 + (i & 3)]!))
    expect(plain.subarray(2, 8).toString('latin1')).toBe('\0\x04MQTT')
    socket.write(
      Buffer.concat([
        Buffer.of(0x82, 5),
        encode({ type: 'CONNACK', sessionPresent: false, reasonCode: 0 }, 5),
      ]),
    )
    const client = await connecting
    clients.push(client)
    for (let i = 0; i < 3; i++) {
      await client.publish('t', 'x')
      const [next] = (await once(socket, 'data')) as [Buffer]
      masks.push(next.subarray(2, 6).toString('hex'))
    }
    expect(new Set(masks).size).toBe(4)
  })
})

/** A frame of a server: not masked. */
function frame(first: number, payload: Uint8Array, masked = 0): Buffer {
  const { length } = payload
  const head =
    length < 126
      ? [first, masked | length]
      : length < 65536
        ? [first, masked | 126, length >> 8, length & 255]
        : [
            first,
            masked | 127,
            0,
            0,
            0,
            0,
            length >>> 24,
            (length >> 16) & 255,
            (length >> 8) & 255,
            length & 255,
          ]
  return Buffer.concat([Buffer.from(head), payload])
}

/** What a reader makes of bytes that come in pieces of this size. */
function read(bytes: Uint8Array, step: number): { data: Buffer; control: string[] } {
  const parts: Uint8Array[] = []
  const control: string[] = []
  const receiver: FrameReceiver = {
    binary: (part) => parts.push(Buffer.from(part)),
    ping: (payload) => control.push(`ping ${Buffer.from(payload)}`),
    close: (status) => control.push(`close ${status}`),
  }
  const reader = new FrameReader(receiver)
  for (let at = 0; at < bytes.length; at += step) reader.push(bytes.subarray(at, at + step))
  return { data: Buffer.concat(parts), control }
}

describe('FrameReader', () => {
  const bytes = Buffer.concat([
    frame(0x82, pattern(5)),
    frame(0x02, pattern(126)),
    frame(0x89, Buffer.from('one')),
    frame(0x00, new Uint8Array(0)),
    frame(0x00, pattern(70_000)),
    frame(0x8a, new Uint8Array(125)),
    frame(0x80, pattern(65_535)),
    frame(0x82, new Uint8Array(0)),
    frame(0x88, Buffer.of(0x03, 0xe8)),
  ])
  const data = Buffer.concat([5, 126, 0, 70_000, 65_535].map(pattern))

  it('gives the same in pieces of any size', () => {
    for (const step of [1, 2, 3, 7, 13, 125, 1000, 65_536, bytes.length]) {
      const result = read(bytes, step)
      expect(result.data.equals(data)).toBe(true)
      expect(result.control).toEqual(['ping one', 'close 1000'])
    }
  })

  const refused: Record<string, [bytes: Buffer, status: number]> = {
    'a masked frame': [frame(0x82, pattern(4), 0x80), 1002],
    'reserved bits': [frame(0xc2, pattern(1)), 1002],
    'a text frame': [frame(0x81, pattern(1)), 1003],
    'an unknown opcode': [frame(0x83, pattern(1)), 1002],
    'an unknown control opcode': [frame(0x8b, pattern(1)), 1002],
    'a control frame in parts': [frame(0x09, pattern(1)), 1002],
    'a control frame of 126 bytes': [frame(0x89, pattern(126)), 1002],
    'a continuation of nothing': [frame(0x80, pattern(1)), 1002],
    'a message inside a message': [Buffer.concat([frame(0x02, pattern(1)), frame(0x82, pattern(1))]), 1002],
    'a close frame of one byte': [frame(0x88, pattern(1)), 1002],
    'a frame of 2 to the 63': [Buffer.of(0x82, 127, 128, 0, 0, 0, 0, 0, 0, 0), 1009],
  }
  for (const [name, [input, status]] of Object.entries(refused)) {
    it(`refuses ${name} with ${status}`, () => {
      for (const step of [1, input.length]) {
        expect(() => read(input, step)).toThrow(expect.objectContaining({ status }))
      }
    })
  }
})
