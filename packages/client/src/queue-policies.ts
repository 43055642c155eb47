import { MqttError } from '@pipit/protocol'
import type { Publication } from './publication.ts'
import { bytesOf, type PublishQueue, type QueueOptions } from './publish-queue.ts'

/** What gives way to a message for which there is no room, or an older one for the same topic. */
export interface QueuePolicy {
  /** A message is about to enter: makes room for it. */
  admit(publication: Publication): void
  entered?(publication: Publication): void
  left?(publication: Publication): void
}

/** @returns undefined for `reject`, which is what a queue does by itself */
export function policyOf(policy: QueueOptions['policy'], queue: PublishQueue): QueuePolicy | undefined {
  if (policy === 'dropOldest') return new DropOldest(queue)
  return policy === 'newestPerTopic' ? new NewestPerTopic(queue) : undefined
}

class DropOldest implements QueuePolicy {
  private readonly queue: PublishQueue

  constructor(queue: PublishQueue) {
    this.queue = queue
  }

  admit(publication: Publication): void {
    const { queue } = this
    if (bytesOf(publication) > queue.limitBytes) return
    while (queue.isFullFor(publication)) {
      const oldest = queue.shift()
      if (oldest === undefined) return
      queue.dropped('queueDropOldest')
      queue.abandoned(oldest)
      oldest.fail(new MessageDroppedError(`publish to ${oldest.topic}: a newer one took its place`))
    }
  }
}

class NewestPerTopic implements QueuePolicy {
  private readonly queue: PublishQueue
  private readonly newest = new Map<string, Publication>()

  constructor(queue: PublishQueue) {
    this.queue = queue
  }

  admit(publication: Publication): void {
    const older = this.newest.get(publication.topic)
    if (older === undefined) return
    this.queue.dropped('queueReplaced')
    older.fail(new MessageDroppedError(`publish to ${older.topic}: a newer one took its place`))
  }

  entered(publication: Publication): void {
    this.newest.set(publication.topic, publication)
  }

  left(publication: Publication): void {
    if (this.newest.get(publication.topic) === publication) this.newest.delete(publication.topic)
  }
}

/** A queued message gave way to a newer one, as the queue's policy says. */
export class MessageDroppedError extends MqttError {
  constructor(message: string) {
    super('MESSAGE_DROPPED', message)
  }
}
