/** Keeps no Topic Names. */
export class TopicBytes {
  find(_topic: string): Uint8Array | undefined {
    return undefined
  }
}
