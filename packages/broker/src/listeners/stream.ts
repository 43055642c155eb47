/** What the broker needs of a connection's transport. Everything that knows a socket stands behind it,
 *  so that a faster back end can be put in and measured without touching the rest. */
export interface ByteStream {
  /** The peer's address for logs, limits and audit, such as `127.0.0.1:51234`. */
  readonly remoteAddress: string
  /** What TLS says of the peer; undefined: it does not speak TLS. */
  readonly tls?: TlsPeer | undefined
  /** The peer belongs to this process and may do everything: a link between brokers. */
  readonly isTrusted?: boolean
  /** True when a chunk is only valid during `onChunk`; may become so in the course of a connection. */
  readonly reusesChunks: boolean
  /** Bytes written and not yet taken by the kernel. */
  readonly pendingBytes: number
  /** Writes bytes; true when the kernel took all of them, so that the caller may reuse them at once.
   *  After false they belong to the stream, and `onDrain` follows. */
  write(bytes: Uint8Array): boolean
  /** Stops reading: the peer feels it through TCP. */
  pause(): void
  resume(): void
  /** The peer has logged in: what bounds a stranger no longer bounds it. */
  admitted?(): void
  /** Writes what is pending, then closes. */
  end(): void
  /** Closes behind a peer that has said goodbye: nothing of what it sends is wanted. Absent: as `end`. */
  leave?(): void
  /** Closes at once. */
  destroy(): void
}

/** Who a peer is by its certificate or pre-shared key. */
export interface TlsPeer {
  /** The user name that it gives, when the listener takes names from it. */
  readonly username?: string | undefined
  /** Of a certificate that was verified, as RFC 2253 writes it. */
  readonly subject?: string
  /** Why the certificate will not do, said of the client: its CONNECT is refused. */
  readonly refusal?: string
}

/** Takes note of what went wrong before there was a stream.
 *  @param remoteAddress undefined: nobody's fault in particular */
export type Report = (remoteAddress: string | undefined, why: string) => void

/** Asked about a connection before anything is spent on it.
 *  @returns why it is closed; or what is to be called once it has logged in, or is gone, or both */
export type Gate = (remoteAddress: string) => string | (() => void)

/** What a stream tells its owner. `onClose` comes once, last, with the error that ended it, if any. */
export interface StreamOwner {
  /** @param length of the bytes at the front of `chunk` that came; default: all */
  onChunk(chunk: Uint8Array, length?: number): void
  onDrain(): void
  onClose(error: Error | undefined): void
}

/** Takes a new stream and gives its owner. */
export type Accept = (stream: ByteStream) => StreamOwner

/** A place where clients come in. */
export interface Listener {
  /** `tcp`, `ws`, `unix`… */
  readonly kind: string
  /** Where it listens, for people: `127.0.0.1:1883`. */
  readonly address: string
  /** The port in use, also when 0 was asked for; 0 for a unix socket. */
  readonly port: number
  /** Reads its files again; gives a line for each fault, after which what was there stays in force. */
  reload?(): Promise<string[]>
  /** Stops accepting; connections that exist go on. */
  close(): Promise<void>
}
