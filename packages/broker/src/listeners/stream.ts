/** What the broker needs of a connection's transport. Everything that knows a socket stands behind it,
 *  so that a faster back end can be put in and measured without touching the rest. */
export interface ByteStream {
  /** The peer's address for logs, limits and audit, such as `127.0.0.1:51234`. */
  readonly remoteAddress: string
  /** True when a chunk is only valid during `onChunk`. */
  readonly reusesChunks: boolean
  /** Bytes written and not yet taken by the kernel. */
  readonly pendingBytes: number
  /** Writes bytes; true when the kernel took all of them, so that the caller may reuse them at once.
   *  After false they belong to the stream, and `onDrain` follows. */
  write(bytes: Uint8Array): boolean
  /** Stops reading: the peer feels it through TCP. */
  pause(): void
  resume(): void
  /** Writes what is pending, then closes. */
  end(): void
  /** Closes at once. */
  destroy(): void
}

/** What a stream tells its owner. `onClose` comes once, last, with the error that ended it, if any. */
export interface StreamOwner {
  onChunk(chunk: Uint8Array): void
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
  /** Stops accepting; connections that exist go on. */
  close(): Promise<void>
}
