/** What a stream tells its owner. */
export interface StreamReceiver {
  /** Bytes arrived; they are the receiver's from now on. */
  data(chunk: Uint8Array): void
  /** The stream has ended, once and for good. @param error what ended it; absent when it ended in order */
  closed(error?: unknown): void
}

/** One open, ordered, reliable byte stream: what every transport is below MQTT. */
export interface ByteStream {
  /** Begins to deliver. Nothing that came before is lost. */
  start(receiver: StreamReceiver): void
  /** Sends bytes. @param written called once, when the bytes may be reused; never called after `closed` */
  write(bytes: Uint8Array, written: () => void): void
  /** Stops delivering until `resume`; what is on its way may still come. */
  pause(): void
  resume(): void
  /** Closes in order: what was written goes out first. `closed` follows. */
  end(): void
  /** Closes at once. `closed` follows. */
  destroy(): void
}

/** Where to connect to: a server's address and what it takes to reach it. */
export interface Target {
  readonly url: URL
}

/** Opens one byte stream; rejects with the system's error, or `signal.reason`. */
export type Transport = (target: Target, signal: AbortSignal) => Promise<ByteStream>
