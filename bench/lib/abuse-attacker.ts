// Attacks a broker from a process of its own, as bench/abuse.ts says: `half-open N`, `slow N`, `logins N` a second.
import { connect, type Socket } from 'node:net'
import { encode } from '@pipit/protocol'

/** What an attack has come to. */
export interface Attack {
  /** Connections that are open. */
  readonly open: number
  /** Logins that were answered since it was asked last. */
  readonly answered: number
}

const [kind = '', amount = '0', ...ports] = process.argv.slice(2)
const [tcp = 0, tls = 0, ws = 0] = ports.map(Number)
const sockets = new Set<Socket>()
let answered = 0

/** Loopback has many addresses: an attacker is rarely one. */
function open(port: number, i: number): Socket {
  const localAddress = `127.${1 + ((i >> 16) & 127)}.${(i >> 8) & 255}.${1 + (i % 254)}`
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  sockets.add(socket)
  socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  return socket
}

/** Waits until sockets are open, some at a time. */
async function openAll(count: number, each: (i: number) => Socket): Promise<void> {
  for (let i = 0; i < count; ) {
    const some: Promise<void>[] = []
    for (const end = Math.min(count, i + 100); i < end; i++) {
      const socket = each(i)
      some.push(
        new Promise((resolve) => socket.once('connect', () => resolve()).once('close', () => resolve())),
      )
    }
    await Promise.all(some)
  }
}

/** What a slow client says byte by byte: a CONNECT, the beginning of a TLS handshake, an HTTP request. */
const SPEECHES: readonly (readonly [port: number, bytes: Uint8Array])[] = [
  [tcp, encode({ type: 'CONNECT', protocolVersion: 5, clientId: 'slow', cleanStart: true, keepAlive: 0 }, 5)],
  [tls, Buffer.from('160301020001000001fc0303', 'hex')],
  [ws, Buffer.from('GET /mqtt HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')],
]

if (kind === 'half-open') await openAll(Number(amount), (i) => open([tcp, tls, ws][i % 3] ?? tcp, i))
if (kind === 'slow') {
  await openAll(Number(amount), (i) => {
    const [port, bytes] = SPEECHES[i % SPEECHES.length] ?? [tcp, new Uint8Array(0)]
    const socket = open(port, i)
    let at = 0
    const timer = setInterval(() => {
      if (at < bytes.length - 1) socket.write(bytes.subarray(at, ++at))
    }, 1_000)
    return socket.once('close', () => clearInterval(timer))
  })
}
if (kind === 'logins') {
  let i = 0
  const begun = performance.now()
  setInterval(() => {
    const due = ((performance.now() - begun) / 1000) * Number(amount)
    for (; i < due; i++) {
      const socket = open(tcp, i)
      const connect = {
        type: 'CONNECT' as const,
        protocolVersion: 4 as const,
        clientId: `a${i}`,
        cleanStart: true,
        keepAlive: 0,
        username: i % 2 === 0 ? 'alice' : `user${i}`,
        password: Buffer.from(`wrong${i}`),
      }
      socket.write(encode(connect, 4))
      socket.on('data', () => {
        answered++
        socket.destroy()
      })
    }
  }, 20)
}
process.send?.({ ready: sockets.size })
process.on('message', () => {
  const said: Attack = { open: sockets.size, answered }
  process.send?.(said)
  answered = 0
})
process.on('disconnect', () => process.exit())
