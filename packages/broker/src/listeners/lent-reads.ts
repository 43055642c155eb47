import { Socket, type SocketConstructorOpts } from 'node:net'

/** What all sockets of this thread are read into: a chunk is handled before the next one is read. */
const SCRATCH = Buffer.allocUnsafeSlow(65536)

/** What Node keeps of an accepted socket and does not document. */
interface AcceptedSocket {
  _handle: { readonly useUserBuffer?: unknown } | null
  _server: unknown
}

/** Goes on with an accepted socket as one that is read into a buffer shared by all (`onread`), and not into one
 *  that is allocated for each chunk: a fifth more messages per CPU second where nothing batches (bench/broker ping0,
 *  ping1). `net.Server` cannot make such sockets, so the handle moves to a second one. `onBytes` gets a chunk,
 *  and how much of it has come, that is only valid while it runs. The listeners of the first socket are gone.
 *  @returns undefined, and nothing has changed, where Node or the socket's state does not allow it */
export function readLent(
  socket: Socket,
  onBytes: (chunk: Uint8Array, length: number) => void,
): Socket | undefined {
  const accepted = socket as unknown as AcceptedSocket
  const { _handle: handle, _server: server } = accepted
  // A TLSSocket has a handle of another kind.
  if (Object.getPrototypeOf(socket) !== Socket.prototype) return undefined
  if (typeof handle?.useUserBuffer !== 'function') return undefined
  if (socket.destroyed || socket.writableLength > 0 || socket.readableLength > 0) return undefined
  socket.removeAllListeners()
  accepted._handle = null
  accepted._server = null
  const callback = (size: number): boolean => {
    onBytes(SCRATCH, size)
    return true
  }
  const options: unknown = { handle, onread: { buffer: SCRATCH, callback } }
  const lent = new Socket(options as SocketConstructorOpts)
  ;(lent as unknown as AcceptedSocket)._server = server
  return lent
}
