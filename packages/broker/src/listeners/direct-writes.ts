import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'

/** A write that the kernel has not taken whole, as Node's stream handles know it. */
interface WriteRequest {
  /** -1 until a write has taken it for its own. */
  getAsyncId(): number
  oncomplete: (status: number) => void
  /** Kept until then: the handle points into it. */
  buffer: Uint8Array | undefined
}

/** What Node keeps of a socket and does not document. */
interface StreamHandle {
  /** @returns 0, or the number of an error */
  writeBuffer(request: object, bytes: Uint8Array): number
}

/** Who is told what becomes of writes. */
export interface Writer {
  /** The kernel has taken all, after a write that it did not take at once. */
  taken(): void
  /** Nothing can be written any more. */
  failed(error: Error): void
}

/** Node's class of write requests. There is no other way to it than to look at one. */
let Request: (new () => WriteRequest) | undefined
/** Goes along with a write, and is not touched by one that the kernel takes at once. */
let spare: WriteRequest | undefined

/** Writes to a socket's handle and not through its stream, whose objects and ticks for each write are
 *  much of what a message costs where nothing batches (bench/broker ping1, fan1000-one). Where the stream still has
 *  something to write, order is kept: both come to the same queue. */
export class DirectWrites {
  /** Bytes written and not yet taken by the kernel. */
  pendingBytes = 0
  private readonly handle: StreamHandle
  private readonly writer: Writer

  constructor(handle: StreamHandle, writer: Writer) {
    this.handle = handle
    this.writer = writer
  }

  /** Says whether writes can be made so: not before Node has made one itself. */
  get isReady(): boolean {
    return Request !== undefined
  }

  /** Writes bytes; true when the kernel took all of them, or nothing can be written any more. */
  write(bytes: Uint8Array): boolean {
    const { handle } = this
    spare ??= new Request!()
    const status = handle.writeBuffer(spare, bytes)
    if (status !== 0) {
      this.writer.failed(writeError(status))
      return true
    }
    // An empty queue would not say it: what was left over may have gone a moment later, and the request is in use
    // until that has been told.
    if (spare.getAsyncId() === -1) return true
    this.await(spare, bytes)
    spare = undefined
    return false
  }

  private await(request: WriteRequest, bytes: Uint8Array): void {
    this.pendingBytes += bytes.length
    request.buffer = bytes
    request.oncomplete = (status) => {
      request.buffer = undefined
      this.pendingBytes -= bytes.length
      if (status < 0) this.writer.failed(writeError(status))
      else if (this.pendingBytes === 0) this.writer.taken()
    }
  }
}

/** Direct writes for a plain socket; undefined where this Node has no such handle. */
export function directWrites(socket: Socket, writer: Writer): DirectWrites | undefined {
  const handle = (socket as unknown as { _handle?: Partial<StreamHandle> | null })._handle
  if (typeof handle?.writeBuffer !== 'function') return undefined
  if (Request === undefined) watchFirst(handle)
  return new DirectWrites(handle as StreamHandle, writer)
}

/** Sees what request goes along with the first write that Node itself makes with a handle. */
function watchFirst(handle: Partial<StreamHandle>): void {
  handle.writeBuffer = (request, bytes) => {
    delete handle.writeBuffer
    if (typeof (request as Partial<WriteRequest>).getAsyncId === 'function') {
      Request = request.constructor as new () => WriteRequest
    }
    return handle.writeBuffer!(request, bytes)
  }
}

function writeError(status: number): Error {
  const code = getSystemErrorName(status)
  return Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: 'write' })
}
