import { topicNameLength } from './checks.ts'
import { writeUtf8 } from './utf8.ts'

const SLOTS = 64

/** Topic Names written last, as they stand on the wire with their length in front: a sender repeats few topics,
 *  and copying costs a third of checking and encoding the string again (bench/codec). A topic is kept when it
 *  comes the second time in a row for its slot, so that one-off topics cost nothing.
 *  Bounded: 64 topics of at most 256 characters. */
export class TopicBytes {
  private readonly topics: string[] = new Array(SLOTS).fill('')
  private readonly bytes: (Uint8Array | undefined)[] = new Array(SLOTS).fill(undefined)

  /** The bytes of a topic seen before, or undefined.
   *  @throws RangeError, TypeError when it is no Topic Name */
  find(topic: string): Uint8Array | undefined {
    const count = topic.length
    if (count === 0 || count > 256) return undefined
    const slot =
      (topic.charCodeAt(count - 1) * 31 +
        topic.charCodeAt(count >> 1) * 7 +
        topic.charCodeAt(count >> 2) * 3 +
        count) &
      (SLOTS - 1)
    if (this.topics[slot] === topic) return this.bytes[slot] ?? (this.bytes[slot] = toBytes(topic))
    this.topics[slot] = topic
    this.bytes[slot] = undefined
    return undefined
  }
}

function toBytes(topic: string): Uint8Array {
  const length = topicNameLength(topic, 'topic')
  const bytes = new Uint8Array(2 + length)
  bytes[0] = length >> 8
  bytes[1] = length
  writeUtf8(bytes, 2, topic)
  return bytes
}
