import type { ByteStream, StreamReceiver } from './stream.ts'

/** Two streams joined inside the process: what one writes the other reads, in a later microtask. */
export function memoryPair(): [ByteStream, ByteStream] {
  const left = new MemoryStream()
  const right = new MemoryStream()
  left.peer = right
  right.peer = left
  return [left, right]
}

class MemoryStream implements ByteStream {
  peer: MemoryStream | undefined = undefined
  private receiver: StreamReceiver | undefined = undefined
  private waiting: { readonly bytes: Uint8Array; readonly written: () => void }[] = []
  private paused = false
  private planned = false
  private peerEnded = false
  private open = true

  start(receiver: StreamReceiver): void {
    this.receiver = receiver
    this.plan()
  }

  write(bytes: Uint8Array, written: () => void): void {
    if (!this.open) return
    this.peer!.waiting.push({ bytes: new Uint8Array(bytes), written })
    this.peer!.plan()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.plan()
  }

  end(): void {
    if (!this.open) return
    this.peer!.peerEnded = true
    this.peer!.plan()
  }

  destroy(): void {
    this.close()
    this.peer!.close(new Error('connection reset'))
  }

  private plan(): void {
    if (this.planned) return
    this.planned = true
    queueMicrotask(() => {
      this.planned = false
      this.deliver()
    })
  }

  private deliver(): void {
    if (this.receiver === undefined) return
    while (this.open && !this.paused && this.waiting.length > 0) {
      const { bytes, written } = this.waiting.shift()!
      this.receiver.data(bytes)
      if (this.peer!.open) written()
    }
    if (this.open && this.peerEnded && this.waiting.length === 0) {
      this.close()
      this.peer!.close()
    }
  }

  private close(error?: unknown): void {
    if (!this.open) return
    this.open = false
    this.waiting = []
    queueMicrotask(() => this.receiver?.closed(error))
  }
}
