import type { Socket } from 'node:net'

/** How long a peer that takes nothing keeps a closing connection open, milliseconds. */
const LINGER_MS = 2_000

/** The peer's address and port, as in logs; `unix:0` where there is none. */
export function addressOf(socket: Socket): string {
  const { remoteAddress, remotePort } = socket
  return remoteAddress === undefined ? 'unix:0' : hostAndPort(remoteAddress, remotePort ?? 0)
}

/** `[::1]:1883`; an IPv4 address in IPv6 clothes is the IPv4 address. */
export function hostAndPort(host: string, port: number): string {
  return `${bracket(host.replace(/^::ffff:(?=\d+\.)/i, ''))}:${port}`
}

export function bracket(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Destroys a socket that has been told to end, in case its peer takes nothing more. */
export function destroyLater(socket: Socket): void {
  if (socket.destroyed) return
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(timer))
}

const NOTHING = new Uint8Array(0)

/** Calls `then` when the kernel has taken what was written to a socket before. `drain` alone does not say so: it
 *  comes only when more was written than the high-water mark, and a slow peer's last bytes may be fewer. */
export function whenTaken(socket: Socket, then: () => void): void {
  if (!socket.writableNeedDrain) socket.write(NOTHING, then)
}
