interface Slot<T> {
  value: T | undefined
  state: number
}

/** Values by Packet Identifier, in a Map, which keeps their order. @see session/packet-id-table.ts */
export class PacketIdTable<T> {
  private readonly slots = new Map<number, Slot<T>>()
  private last = 0

  get size(): number {
    return this.slots.size
  }

  state(packetId: number): number {
    return this.slots.get(packetId)?.state ?? 0
  }

  value(packetId: number): T | undefined {
    return this.slots.get(packetId)?.value
  }

  allocate(value: T | undefined, state: number): number {
    if (this.size >= 65535) throw new RangeError('Packet Identifier 65535; all are in use')
    do this.last = (this.last % 65535) + 1
    while (this.slots.has(this.last))
    this.set(this.last, value, state)
    return this.last
  }

  set(packetId: number, value: T | undefined, state: number): void {
    this.slots.set(packetId, { value, state })
  }

  setState(packetId: number, state: number): void {
    const slot = this.slots.get(packetId)
    if (slot !== undefined) slot.state = state
  }

  delete(packetId: number): void {
    this.slots.delete(packetId)
  }

  inOrder(): number[] {
    return [...this.slots.keys()]
  }

  restart(): void {
    this.last = 0
  }

  clear(): void {
    this.slots.clear()
    this.restart()
  }
}
