import { once } from 'node:events'
import { lstat, unlink } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import type { AccessOptions } from '../auth/access-options.ts'
import { type ProxyProtocol, readProxyHeader } from './proxy.ts'
import type { ListenerRules } from './rules.ts'
import { addressOf, bracket } from './sockets.ts'
import type { Gate, Listener, Report, TlsPeer } from './stream.ts'
import { TlsDoor } from './tls.ts'
import type { TlsOptions } from './tls-options.ts'

/** Where and how to listen for sockets, whatever is spoken on them. */
export interface SocketListenOptions extends ListenerRules {
  /** 0 takes a free one. */
  readonly port?: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** On an IPv6 address, leave IPv4 alone: `::` is otherwise both. Default false. */
  readonly ipv6Only?: boolean
  /** Send small packets at once; default true. */
  readonly noDelay?: boolean
  /** TCP keep-alive probes after this much silence, milliseconds; default 0: none. */
  readonly tcpKeepAliveMs?: number
  /** Connections the kernel may hold before they are accepted; default 511. */
  readonly backlog?: number
  /** Each connection begins with a PROXY protocol header that names its client: of version 1, of
   *  version 2, or of either with `true`. One that does not is closed. Default: no header. */
  readonly proxyProtocol?: ProxyProtocol
  /** How long the PROXY header may take, milliseconds; default 5000. */
  readonly proxyTimeoutMs?: number
  /** Speak TLS. */
  readonly tls?: TlsOptions
  /** Who may come in here and do what, instead of what the broker's `access` says. */
  readonly access?: AccessOptions
  /** Listen on an address beyond this machine although clients need no password, or without TLS. */
  readonly insecure?: boolean
  /** Connections at a time through this listener; more are closed. Default: as the broker's limits say. */
  readonly maximumConnections?: number
}

/** Where to listen when it is not a port. */
export interface UnixSocket {
  readonly path: string
  /** Permission bits of the socket's file, such as 0o660; default: what the umask leaves. */
  readonly mode?: number
}

/** A socket that is ready to be read, and what is known of it. */
export interface Arrival {
  readonly socket: Socket
  /** Its client's. */
  readonly remoteAddress: string
  /** To be called once its client has logged in: what bounds a stranger no longer bounds it. */
  readonly admitted: () => void
  readonly tls?: TlsPeer
}

export type OnSocket = (arrival: Arrival) => void

/** What is spoken on a listener's sockets. */
export interface Speech {
  /** `tcp`, `unix` or `ws`; with TLS `tls` or `wss`. */
  readonly kind: 'tcp' | 'unix' | 'ws'
  /** Of ALPN (RFC 7301). */
  readonly protocol: 'mqtt' | 'http/1.1'
}

/** Listens for sockets; reads their PROXY headers when they have them, and puts TLS on them.
 *  @throws Error naming the address or the option and what to do, when it cannot listen */
export async function openServer(
  { kind, protocol }: Speech,
  options: SocketListenOptions,
  onSocket: OnSocket,
  report: Report,
  gate: Gate,
  unix?: UnixSocket,
): Promise<Listener> {
  const { tls } = options
  const door = tls === undefined ? undefined : await TlsDoor.open(tls, [protocol], report, onSocket)
  const ready: OnSocket = door === undefined ? onSocket : (arrival) => door.wrap(arrival)
  const arrive = (socket: Socket, remoteAddress: string): void => {
    const admitted = gate(remoteAddress)
    if (typeof admitted === 'string') {
      report(remoteAddress, admitted)
      return void socket.destroy()
    }
    // What is a stream at once tells of its end itself.
    if (door !== undefined || kind === 'ws') socket.once('close', admitted)
    ready({ socket, remoteAddress, admitted })
  }
  try {
    const listener = await openPlain(options, arrive, report, unix)
    if (door === undefined) return { ...listener, kind }
    return {
      ...listener,
      kind: kind === 'ws' ? 'wss' : 'tls',
      reload: () => door.reload(),
      close: () => {
        door.close()
        return listener.close()
      },
    }
  } catch (error) {
    door?.close()
    throw error
  }
}

/** Takes a socket, and the address of who is behind it. */
type Arrive = (socket: Socket, remoteAddress: string) => void

async function openPlain(
  options: SocketListenOptions,
  arrive: Arrive,
  report: Report,
  unix?: UnixSocket,
): Promise<Omit<Listener, 'kind'>> {
  const { noDelay = true, tcpKeepAliveMs = 0, backlog = 511, host = '127.0.0.1', port = 1883 } = options
  const server = createServer({
    noDelay,
    keepAlive: tcpKeepAliveMs > 0,
    keepAliveInitialDelay: tcpKeepAliveMs,
    // Paused until its owner is there: with a PROXY header, that is later.
    pauseOnConnect: options.proxyProtocol !== undefined,
  })
  if (options.maximumConnections !== undefined) server.maxConnections = options.maximumConnections
  const waiting = new Set<Socket>()
  server.on('connection', (socket) => {
    if (options.proxyProtocol === undefined) return arrive(socket, addressOf(socket))
    waiting.add(socket)
    void introduce(socket, options, arrive, report).finally(() => waiting.delete(socket))
  })
  if (unix !== undefined) await listenUnix(server, unix, backlog)
  else {
    server.listen({ host, port, backlog, ipv6Only: options.ipv6Only === true })
    await listening(server, `${bracket(host)}:${port}`)
  }
  const address = server.address()
  const bound = address !== null && typeof address === 'object' ? address.port : 0
  return {
    address: unix?.path ?? `${bracket(host)}:${bound}`,
    port: bound,
    close: () => {
      for (const socket of waiting) socket.destroy()
      return closeServer(server)
    },
  }
}

/** Lets a connection in once it has said for whom it comes. */
async function introduce(
  socket: Socket,
  options: SocketListenOptions,
  arrive: Arrive,
  report: Report,
): Promise<void> {
  const { proxyProtocol = true, proxyTimeoutMs = 5_000 } = options
  try {
    const source = await readProxyHeader(socket, proxyProtocol, proxyTimeoutMs)
    arrive(socket, source ?? addressOf(socket))
    socket.resume()
  } catch (error) {
    report(addressOf(socket), `closed: ${(error as Error).message}`)
    socket.destroy()
  }
}

async function listenUnix(server: Server, { path, mode }: UnixSocket, backlog: number): Promise<void> {
  await removeStale(path)
  // Node binds during this call: the file never exists with wider permissions. A worker has no umask to set.
  const umask = mode !== undefined && isMainThread ? process.umask(0o777 & ~mode) : undefined
  try {
    server.listen({ path, backlog })
  } finally {
    if (umask !== undefined) process.umask(umask)
  }
  await listening(server, path)
}

/** Removes the socket that a broker left when it was killed; never one that still answers, and no other file. */
async function removeStale(path: string): Promise<void> {
  if (path.startsWith('\0')) return
  const found = await lstat(path).catch(() => undefined)
  if (found === undefined) return
  if (!found.isSocket()) {
    throw Object.assign(
      new Error(`cannot listen on ${path}: a file of that name exists, and it is no socket; choose another`),
      { code: 'EEXIST' },
    )
  }
  if (await refusesConnections(path)) await unlink(path).catch(() => undefined)
}

async function refusesConnections(path: string): Promise<boolean> {
  const probe = connect(path)
  try {
    await once(probe, 'connect')
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
  } finally {
    probe.destroy()
  }
}

async function listening(server: Server, where: string): Promise<void> {
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw listenError(where, cause as NodeJS.ErrnoException)
  }
  server.on('error', () => {}) // an accept that failed (EMFILE) ends nothing: the next one may do
}

/** Says in words why nothing can listen at `where`. */
function listenError(where: string, cause: NodeJS.ErrnoException): Error {
  const said: Record<string, string> = {
    EADDRINUSE: 'it is in use; stop the other program or choose another port',
    EACCES: 'not permitted; ports below 1024 and protected folders need more rights',
    EADDRNOTAVAIL: 'this machine has no such address',
    ENOTFOUND: 'no such host',
  }
  // Node says EACCES for a unix socket whose folder is missing.
  const isFile = cause.code === 'EACCES' && where.includes('/')
  const reason = isFile
    ? 'its folder is not there, or not for this user'
    : (said[cause.code ?? ''] ?? cause.message)
  return Object.assign(new Error(`cannot listen on ${where}: ${reason}`, { cause }), { code: cause.code })
}

/** Closes a server; settled once it no longer accepts. */
function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    // close() waits for connections too; they are the broker's to end.
    setImmediate(resolve)
  })
}
