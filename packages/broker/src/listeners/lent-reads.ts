import { Socket } from 'node:net'

/** What all sockets of this thread are read into: a chunk is handled before the next one is read. */
const SCRATCH = Buffer.allocUnsafeSlow(65536)

/** What Node keeps of a socket and does not document. */
type LentSocket = Socket & {
  _handle: { useUserBuffer?: (buffer: Uint8Array) => void } | null
  [part: symbol]: unknown
}

/** Where a socket keeps what its option `onread` says: seen in one that is made with it. Undefined where this Node
 *  keeps it elsewhere. */
const PLACES = places()

/** Has an accepted socket read into a buffer shared by all, as with the option `onread`, and not into one that is
 *  allocated for each chunk: a fifth more messages per CPU second where nothing batches (bench/broker ping0, ping1).
 *  `net.Server` makes its sockets itself, so the option comes later. `onBytes` gets a chunk, and how much of it has
 *  come, that is only valid while it runs; there is no `data` event.
 *  @returns false, and nothing has changed, where Node or the socket's state does not allow it */
export function readLent(socket: Socket, onBytes: (chunk: Uint8Array, length: number) => void): boolean {
  // A TLSSocket has a handle of another kind.
  if (PLACES === undefined || Object.getPrototypeOf(socket) !== Socket.prototype) return false
  const lent = socket as LentSocket
  if (typeof lent._handle?.useUserBuffer !== 'function') return false
  if (socket.destroyed || socket.readableLength > 0 || socket.listenerCount('data') > 0) return false
  lent[PLACES.buffer] = SCRATCH
  lent[PLACES.callback] = (size: number): boolean => {
    onBytes(SCRATCH, size)
    return true
  }
  lent._handle.useUserBuffer(SCRATCH)
  return true
}

function places(): { readonly buffer: symbol; readonly callback: symbol } | undefined {
  const buffer = new Uint8Array(1)
  const callback = (): boolean => true
  const example = new Socket({ onread: { buffer, callback } } as unknown as ConstructorParameters<
    typeof Socket
  >[0]) as LentSocket
  const symbols = Object.getOwnPropertySymbols(example)
  const bufferAt = symbols.find((each) => example[each] === buffer)
  const callbackAt = symbols.find((each) => example[each] === callback)
  return bufferAt === undefined || callbackAt === undefined
    ? undefined
    : { buffer: bufferAt, callback: callbackAt }
}
