import type { DeviceLink, DeviceMessage } from '../link.ts'
import type { DeviceClient } from './device-client.ts'
import { INBOX_LIMIT, type Inbox } from './inbox.ts'

/** A device's client as lights and sensors want their connection: each subscription has its own messages. */
export function clientLink(client: DeviceClient, inbox: Inbox): DeviceLink {
  return {
    publish: (topic, payload, options) => client.publish(topic, payload, options),
    async subscribe(filter, options) {
      const messages = new MessageQueue((take) => inbox.each(filter, take))
      try {
        await client.subscribe(filter, options)
      } catch (error) {
        await messages.return()
        throw error
      }
      return messages
    },
    onConnect: (handler) => client.onConnect(handler),
  }
}

const DONE: IteratorResult<DeviceMessage, undefined> = { done: true, value: undefined }

/** Messages for a `for await`; the oldest give way when nobody reads them. */
class MessageQueue implements AsyncIterableIterator<DeviceMessage, undefined> {
  private readonly messages: DeviceMessage[] = []
  private readonly waiters: ((result: IteratorResult<DeviceMessage, undefined>) => void)[] = []
  private readonly leave: () => void
  private ended = false

  constructor(listen: (take: (message: DeviceMessage) => void) => () => void) {
    this.leave = listen((message) => this.push(message))
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<DeviceMessage, undefined>> {
    const value = this.messages.shift()
    if (value !== undefined) return Promise.resolve({ done: false, value })
    if (this.ended) return Promise.resolve(DONE)
    return new Promise((resolve) => this.waiters.push(resolve))
  }

  return(): Promise<IteratorResult<DeviceMessage, undefined>> {
    this.ended = true
    this.leave()
    this.messages.length = 0
    for (const resolve of this.waiters.splice(0)) resolve(DONE)
    return Promise.resolve(DONE)
  }

  private push(message: DeviceMessage): void {
    const waiter = this.waiters.shift()
    if (waiter !== undefined) {
      waiter({ done: false, value: message })
      return
    }
    this.messages.push(message)
    if (this.messages.length > INBOX_LIMIT) this.messages.shift()
  }
}
