import { readTopicName } from '../codec/fields.ts'
import type { Reader } from '../codec/reader.ts'

/** Reads each Topic Name anew. */
export class TopicCache {
  read(reader: Reader): string {
    return readTopicName(reader)
  }

  release(): void {}
}
