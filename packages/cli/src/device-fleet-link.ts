import { once } from 'node:events'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import {
  type ByteStream,
  NodeStream,
  type StreamReceiver,
  type TlsOptions,
  type Transport,
} from '@pipit/client'
import { Direction, type NetworkConditions, type Passage, type Random } from '@pipit/device'

/** Bytes of TCP's first segment, which a link may lose as any other. */
const SYN_BYTES = 60

/** A lossy link in front of one device: real TCP, whose bytes are held up as long as the loss of their segments would
 *  hold them up, and whose connections break where TCP would give up. */
export class LossyLink {
  delays = 0
  private readonly conditions: NetworkConditions
  private readonly random: Random
  private readonly isDark: (at: number) => boolean
  private readonly tls: TlsOptions | undefined
  private stream: LossyStream | undefined = undefined

  /** @param isDark says whether the link carries nothing at that moment, by `performance.now()`
   *  @param tls spoken over the link; what its records and its handshake add in bytes is not held up */
  constructor(
    conditions: NetworkConditions,
    random: Random,
    isDark: (at: number) => boolean,
    tls?: TlsOptions,
  ) {
    this.conditions = conditions
    this.random = random
    this.isDark = isDark
    this.tls = tls
  }

  readonly transport: Transport = async ({ url }, signal) => {
    const { conditions } = this
    const [up, down] = [this.direction(), this.direction()]
    await this.carried(up, SYN_BYTES, signal)
    const socket = await opened(url, this.tls, signal)
    // TCP's handshake, and that of TLS 1.3, take a round trip each.
    // The broker may be killed meanwhile.
    let failure: Error | undefined
    socket.once('error', (error) => {
      failure = error
    })
    await pause(conditions.latency * (this.tls === undefined ? 1 : 3), signal)
    if (failure !== undefined) throw failure
    this.stream = new LossyStream(new NodeStream(socket), this.counted(up), this.counted(down))
    return this.stream
  }

  /** The device's power goes. */
  cut(): void {
    this.stream?.destroy()
    this.stream = undefined
  }

  private direction(): Direction {
    return new Direction(this.conditions, this.random, this.isDark)
  }

  private counted(direction: Direction): Passes {
    return (bytes) => {
      const passage = direction.send(bytes, performance.now())
      this.delays += passage.again
      return passage
    }
  }

  private async carried(direction: Direction, bytes: number, signal: AbortSignal): Promise<void> {
    const { at, arrives } = this.counted(direction)(bytes)
    await pause(at - performance.now(), signal)
    if (!arrives) throw Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })
  }
}

/** Opens TCP, or TLS on it. */
async function opened(
  { hostname, port }: URL,
  tls: TlsOptions | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const socket =
    tls === undefined
      ? connect({ host, port: Number(port || 1883), noDelay: true })
      : connectTls({
          host,
          port: Number(port || 8883),
          ...(isIP(host) === 0 && { servername: host }),
          ...tls,
        })
  try {
    await once(socket, tls === undefined ? 'connect' : 'secureConnect', { signal })
    return socket
  } catch (error) {
    socket.destroy()
    throw signal.aborted ? signal.reason : error
  }
}

type Passes = (bytes: number) => Passage

class LossyStream implements ByteStream {
  private readonly inner: ByteStream
  private readonly up: Way
  private readonly down: Way
  private receiver: StreamReceiver | undefined = undefined
  private isOver = false

  constructor(inner: ByteStream, up: Passes, down: Passes) {
    this.inner = inner
    this.up = new Way(up, () => this.giveUp())
    this.down = new Way(down, () => this.giveUp())
  }

  start(receiver: StreamReceiver): void {
    this.receiver = receiver
    this.inner.start({
      data: (chunk) => this.down.pass(chunk.length, () => receiver.data(chunk)),
      // What was on its way comes first.
      closed: (error) => this.down.pass(0, () => this.over(error)),
    })
  }

  write(bytes: Uint8Array, written: () => void): void {
    this.up.pass(bytes.length, () => this.inner.write(bytes, written))
  }

  pause(): void {
    this.inner.pause()
  }

  resume(): void {
    this.inner.resume()
  }

  end(): void {
    this.up.pass(0, () => this.inner.end())
  }

  destroy(): void {
    this.inner.destroy()
    this.over(undefined)
  }

  /** TCP has given the connection up: each side finds out for itself. */
  private giveUp(): void {
    this.inner.destroy()
    this.over(Object.assign(new Error('the link lost too many segments in a row'), { code: 'ETIMEDOUT' }))
  }

  private over(error: unknown): void {
    if (this.isOver) return
    this.isOver = true
    this.up.stop()
    this.down.stop()
    queueMicrotask(() => this.receiver?.closed(error))
  }
}

interface Passing {
  readonly at: number
  readonly arrived: () => void
}

/** One direction: what is sent comes in order, each when the link lets it. */
class Way {
  private readonly passes: Passes
  private readonly gaveUp: () => void
  private readonly queue: Passing[] = []
  private timer: NodeJS.Timeout | undefined = undefined
  private isStopped = false

  constructor(passes: Passes, gaveUp: () => void) {
    this.passes = passes
    this.gaveUp = gaveUp
  }

  /** @param bytes 0: goes with what was sent before it */
  pass(bytes: number, arrived: () => void): void {
    if (this.isStopped) return
    const before = this.queue.at(-1)?.at ?? 0
    const { at, arrives } = bytes === 0 ? { at: before, arrives: true } : this.passes(bytes)
    this.queue.push({ at: Math.max(at, before), arrived: arrives ? arrived : this.gaveUp })
    this.plan()
  }

  stop(): void {
    this.isStopped = true
    clearTimeout(this.timer)
    this.queue.length = 0
  }

  private plan(): void {
    const [first] = this.queue
    if (this.timer !== undefined || first === undefined) return
    this.timer = setTimeout(() => this.arrive(), Math.max(0, Math.ceil(first.at - performance.now())))
  }

  private arrive(): void {
    this.timer = undefined
    const now = performance.now()
    for (let first = this.queue[0]; first !== undefined && first.at <= now; first = this.queue[0]) {
      this.queue.shift()
      first.arrived()
    }
    if (!this.isStopped) this.plan()
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(
      () => {
        signal.removeEventListener('abort', aborted)
        resolve()
      },
      Math.max(0, ms),
    )
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
  })
}
