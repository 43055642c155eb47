/** Sizes that are pooled: a connection's output begins small and grows by these steps. */
const SIZES = [2048, 16384, 65536, 262144]
const KEEP = [2048, 512, 128, 32]

/** Buffers used again: a fresh one of 64 kB costs 3 µs, a pooled one nothing (bench/broker p2p0). */
export class BufferPool {
  private readonly free: Buffer[][] = SIZES.map(() => [])

  /** A buffer of at least `size` bytes with anything in it. */
  take(size: number): Buffer {
    for (let i = 0; i < SIZES.length; i++) {
      if (size <= SIZES[i]!) return this.free[i]!.pop() ?? Buffer.allocUnsafeSlow(SIZES[i]!)
    }
    return Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(size)))
  }

  /** Gives a buffer back that nobody reads any more. */
  give(buffer: Buffer): void {
    const i = SIZES.indexOf(buffer.length)
    if (i >= 0 && this.free[i]!.length < KEEP[i]!) this.free[i]!.push(buffer)
  }
}
