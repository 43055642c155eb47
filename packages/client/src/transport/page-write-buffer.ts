import { encode, type Packet, type ProtocolVersion } from '@pipit/protocol'

/** Keeps packets until they are written. @see write-buffer.ts, whose place it takes in a page */
export class WriteBuffer {
  used = 0
  private packets: Uint8Array[] = []

  add(packet: Packet, version: ProtocolVersion): void {
    const bytes = encode(packet, version)
    this.packets.push(bytes)
    this.used += bytes.length
  }

  isFullFor(): boolean {
    return false
  }

  take(): Uint8Array {
    const bytes = new Uint8Array(this.used)
    this.used = 0
    for (const packet of this.packets) {
      bytes.set(packet, this.used)
      this.used += packet.length
    }
    this.packets = []
    this.used = 0
    return bytes
  }

  giveBack(): void {}
}
