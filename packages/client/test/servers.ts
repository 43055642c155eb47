import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect } from 'vitest'

/** Writes cert.pem and key.pem for localhost into a folder. */
export function makeCertificate(folder: string, name = 'localhost'): void {
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', '-days', '2', ...subject, ...files], {
    stdio: 'ignore',
  })
}

export function portOf(server: Server): number {
  return (server.address() as { port: number }).port
}

function join2(one: Socket, other: Socket): void {
  one.pipe(other)
  other.pipe(one)
  for (const socket of [one, other]) socket.on('error', () => {})
  one.on('close', () => other.destroy())
  other.on('close', () => one.destroy())
}

/** A proxy that takes CONNECT from ann, whose password is secret. */
export async function httpProxy(proxies: Server[]): Promise<string> {
  const server = createServer((socket) => {
    socket.once('data', (head: Buffer) => {
      const [, host, port] = /^CONNECT ([^:]+):(\d+) HTTP/.exec(head.toString())!
      const login = `Basic ${Buffer.from('ann:secret').toString('base64')}`
      if (!head.toString().includes(login)) {
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
        return
      }
      const onward = dial({ host: host!, port: Number(port) }, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        join2(socket, onward)
      })
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxies.push(server)
  return `http://ann:secret@127.0.0.1:${portOf(server)}`
}

/** A SOCKS5 proxy with username and password, which answers byte by byte. */
export async function socksProxy(proxies: Server[]): Promise<string> {
  const server = createServer((socket) => {
    const steps = [
      (bytes: Buffer) => {
        expect([...bytes]).toEqual([5, 1, 2])
        drip(socket, [5, 2])
      },
      (bytes: Buffer) => {
        expect(bytes.toString('latin1')).toBe('\x01\x03ann\x06secret')
        drip(socket, [1, 0])
      },
      (bytes: Buffer) => {
        const host = bytes.toString('latin1', 5, 5 + bytes[4]!)
        const onward = dial({ host, port: bytes.readUInt16BE(5 + bytes[4]!) }, () => {
          socket.write(Uint8Array.of(5, 0, 0, 1, 127, 0, 0, 1, 0, 0))
          join2(socket, onward)
        })
      },
    ]
    const next = (): void => {
      const step = steps.shift()
      if (step !== undefined) {
        socket.once('data', (bytes: Buffer) => {
          step(bytes)
          next()
        })
      }
    }
    next()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxies.push(server)
  return `socks5://ann:secret@127.0.0.1:${portOf(server)}`
}

function drip(socket: Socket, bytes: number[]): void {
  socket.setNoDelay(true)
  for (const byte of bytes) socket.write(Uint8Array.of(byte))
}
