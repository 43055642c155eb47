import { readTopicName } from './fields.ts'
import type { Reader } from './reader.ts'

const SLOTS = 256
const SHORTEST = 4
const LONGEST = 256

/** A topic with its bytes as words, the last of which overlaps the one before it. */
interface Entry {
  readonly length: number
  readonly words: Int32Array
  readonly topic: string
}

/** Topic Names read last: a sender repeats few topics, and comparing their bytes four at a time costs a fifth of
 *  checking and making the string again (bench/codec). One is kept when it comes the second time, so that
 *  one-off topics cost little. Bounded: 256 topics of at most 256 bytes; nothing before the first one. */
export class TopicCache {
  private entries: (Entry | undefined)[] = NO_ENTRIES
  /** Hash of the topic that each slot keeps, or will keep if it comes again. */
  private hashes = NO_HASHES
  private bytes: Uint8Array | undefined = undefined
  private view: DataView = NO_VIEW

  /** Reads a Topic Name with all its checks, or gives the same string as last time. */
  read(reader: Reader): string {
    const { bytes, offset, end } = reader
    if (offset + 2 + SHORTEST > end) return readTopicName(reader)
    const length = (bytes[offset]! << 8) | bytes[offset + 1]!
    const start = offset + 2
    if (length > LONGEST || length < SHORTEST || start + length > end) return readTopicName(reader)
    if (bytes !== this.bytes) this.look(bytes)
    const { view } = this
    const last = start + length - 4
    let hash = length
    for (let at = start; at < last; at += 4) hash = Math.imul(hash ^ view.getInt32(at), 0x9e3779b1)
    hash = Math.imul(hash ^ view.getInt32(last), 0x9e3779b1)
    const slot = this.slotOf(hash)
    if (slot < 0) return readTopicName(reader)
    const entry = this.entries[slot]
    if (entry === undefined || !sameWords(entry, view, start, length))
      return this.keep(reader, slot, start, length)
    reader.offset = start + length
    return entry.topic
  }

  /** The one of two slots that has this hash; -1 when neither had, and one has it now. */
  private slotOf(hash: number): number {
    const { hashes } = this
    const first = hash >>> 24
    if (hashes[first] === hash) return first
    const second = (hash >>> 16) & (SLOTS - 1)
    if (hashes[second] === hash) return second
    const slot = this.entries[first] === undefined ? first : second
    hashes[slot] = hash
    this.entries[slot] = undefined
    return -1
  }

  /** Lets go of the chunk that was read last. */
  release(): void {
    this.bytes = undefined
    this.view = NO_VIEW
  }

  private look(bytes: Uint8Array): void {
    if (this.entries === NO_ENTRIES) {
      this.entries = new Array(SLOTS).fill(undefined)
      this.hashes = new Int32Array(SLOTS)
    }
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  private keep(reader: Reader, slot: number, start: number, length: number): string {
    const topic = readTopicName(reader)
    const words = new Int32Array((length + 3) >> 2)
    const last = words.length - 1
    for (let i = 0; i < last; i++) words[i] = this.view.getInt32(start + 4 * i)
    words[last] = this.view.getInt32(start + length - 4)
    this.entries[slot] = { length, words, topic }
    return topic
  }
}

function sameWords(entry: Entry, view: DataView, start: number, length: number): boolean {
  if (entry.length !== length) return false
  const { words } = entry
  const last = words.length - 1
  for (let i = 0; i < last; i++) if (words[i] !== view.getInt32(start + 4 * i)) return false
  return words[last] === view.getInt32(start + length - 4)
}

const NO_ENTRIES: (Entry | undefined)[] = []
const NO_HASHES = new Int32Array(0)
const NO_VIEW = new DataView(new ArrayBuffer(0))
