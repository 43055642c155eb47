/** Values by Packet Identifier in flat arrays that grow with what is in flight, from nothing.
 *
 *  An open-addressed table: an identifier lives in the slot its hash names or, when that is taken, in the next
 *  free one. Identifiers that we give follow each other, and lie side by side; those that a peer chooses are spread
 *  by a hash, and cost probes and no memory. At its full size every identifier has a slot of its own.
 *  No Map entry, closure or object per message: 40 % of the QoS 1 path otherwise (bench/broker p2p1). */
export class PacketIdTable<T> {
  /** How many identifiers are in use. */
  size = 0
  private mask = 0
  /** Bits of a hash of 16 that are not part of a slot. */
  private shift = 16
  private ids: Uint16Array = NONE
  private states: Uint8Array = NO_STATES
  private order: Uint32Array = NO_ORDER
  private values: (T | undefined)[] = []
  private counter = 0
  private last = 0
  /** How many identifiers are not in the slot that their hash names. */
  private displaced = 0
  /** The slot that was found last. */
  private found = 0
  private readonly isSpread: boolean

  /** @param isSpread the identifiers are those of a peer */
  constructor(isSpread = false) {
    this.isSpread = isSpread
  }

  /** The state of `packetId`, or 0 when it is free. */
  state(packetId: number): number {
    const slot = this.find(packetId)
    return slot < 0 ? 0 : this.states[slot]!
  }

  /** The value of an identifier in use. */
  value(packetId: number): T | undefined {
    const slot = this.find(packetId)
    return slot < 0 ? undefined : this.values[slot]
  }

  /** Takes the next free identifier.
   *  @param state above 0
   *  @throws RangeError when all 65535 are in use */
  allocate(value: T, state: number): number {
    if (this.size >= 65535) throw new RangeError('Packet Identifier 65535; all are in use')
    let packetId = this.last
    do packetId = packetId === 65535 ? 1 : packetId + 1
    while (this.find(packetId) >= 0)
    this.last = packetId
    this.put(packetId, value, state)
    return packetId
  }

  /** Puts a given identifier in use, or changes its value and state. */
  set(packetId: number, value: T, state: number): void {
    const slot = this.find(packetId)
    if (slot < 0) return this.put(packetId, value, state)
    this.values[slot] = value
    this.states[slot] = state
  }

  /** Changes the state of an identifier in use. */
  setState(packetId: number, state: number): void {
    const slot = this.find(packetId)
    if (slot >= 0) this.states[slot] = state
  }

  /** Frees an identifier; one that is free stays so. */
  delete(packetId: number): void {
    const slot = this.find(packetId)
    if (slot < 0) return
    // A burst does not cost its memory for the life of the session.
    if (--this.size === 0 && this.mask >= KEPT_WHEN_EMPTY) this.release()
    else this.close(slot)
  }

  /** Identifiers in use, in the order in which they were taken. */
  inOrder(): number[] {
    const used: number[] = []
    for (let slot = 0; slot < this.ids.length; slot++) if (this.ids[slot] !== 0) used.push(slot)
    const { order, counter } = this
    // Ages rather than numbers, so that a wrapped counter sorts right.
    used.sort((a, b) => ((counter - order[b]!) >>> 0) - ((counter - order[a]!) >>> 0))
    return used.map((slot) => this.ids[slot]!)
  }

  /** New identifiers begin at 1 again, as on a new connection. */
  restart(): void {
    this.last = 0
  }

  clear(): void {
    this.size = 0
    this.last = 0
    this.release()
  }

  /** Fibonacci hashing: an odd factor near 65536 / golden ratio maps 16 bits to 16 bits one to one. */
  private home(packetId: number): number {
    if (!this.isSpread) return packetId & this.mask
    return (Math.imul(packetId, 40503) & 0xffff) >> this.shift
  }

  private find(packetId: number): number {
    const { ids, mask } = this
    // State, value and end of one packet are asked for one after the other.
    if (ids[this.found] === packetId && packetId !== 0) return this.found
    let slot = this.home(packetId)
    for (let id = ids[slot]!; id !== 0; id = ids[slot]!) {
      if (id === packetId) {
        this.found = slot
        return slot
      }
      slot = (slot + 1) & mask
    }
    return -1
  }

  private put(packetId: number, value: T, state: number): void {
    if (++this.size << 1 > this.mask && this.mask < 65535) this.grow()
    const { ids, mask } = this
    const home = this.home(packetId)
    let slot = home
    while (ids[slot] !== 0) slot = (slot + 1) & mask
    if (slot !== home) this.displaced++
    this.ids[slot] = packetId
    this.states[slot] = state
    this.values[slot] = value
    this.order[slot] = this.counter++
  }

  /** Empties a slot, and moves back what had to go past it. */
  private close(slot: number): void {
    const { ids, mask } = this
    let hole = slot
    if (this.displaced > 0) {
      if (slot !== this.home(ids[slot]!)) this.displaced--
      for (let at = (hole + 1) & mask; ids[at] !== 0; at = (at + 1) & mask) {
        const distance = (at - this.home(ids[at]!)) & mask
        if (distance < ((at - hole) & mask)) continue
        this.copy(ids, this.states, this.order, this.values, at, hole)
        if (this.home(ids[hole]!) === hole) this.displaced--
        hole = at
      }
    }
    ids[hole] = 0
    this.states[hole] = 0
    this.values[hole] = undefined
  }

  private grow(): void {
    const { ids, states, order, values } = this
    const capacity = Math.max(16, (this.mask + 1) * 2)
    this.displaced = 0
    this.mask = capacity - 1
    this.shift = 16 - Math.log2(capacity)
    this.ids = new Uint16Array(capacity)
    this.states = new Uint8Array(capacity)
    this.order = new Uint32Array(capacity)
    this.values = new Array<T | undefined>(capacity).fill(undefined)
    for (let from = 0; from < ids.length; from++) {
      const packetId = ids[from]!
      if (packetId === 0) continue
      const home = this.home(packetId)
      let to = home
      while (this.ids[to] !== 0) to = (to + 1) & this.mask
      if (to !== home) this.displaced++
      this.copy(ids, states, order, values, from, to)
    }
  }

  private copy(
    ids: Uint16Array,
    states: Uint8Array,
    order: Uint32Array,
    values: (T | undefined)[],
    from: number,
    to: number,
  ): void {
    this.ids[to] = ids[from]!
    this.states[to] = states[from]!
    this.order[to] = order[from]!
    this.values[to] = values[from]
  }

  private release(): void {
    this.mask = 0
    this.shift = 16
    this.found = this.displaced = 0
    this.ids = NONE
    this.states = NO_STATES
    this.order = NO_ORDER
    this.values = []
  }
}

const KEPT_WHEN_EMPTY = 256
/** One slot that is always free: what a table without anything in it looks into. */
const NONE = new Uint16Array(1)
const NO_STATES = new Uint8Array(1)
const NO_ORDER = new Uint32Array(1)
