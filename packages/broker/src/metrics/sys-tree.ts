import type { Figures } from './figures.ts'

/** Publishes one value of the tree. */
export type PublishValue = (topic: string, value: string) => void

/** What Mosquitto publishes, by the end of the topic. Dashboards know these names. */
const VALUES: readonly (readonly [string, (figures: Figures) => string | number])[] = [
  ['uptime', ({ uptimeSeconds }) => `${uptimeSeconds} seconds`],
  ['clients/total', ({ clientsConnected, clientsDisconnected }) => clientsConnected + clientsDisconnected],
  ['clients/maximum', ({ clientsMaximum }) => clientsMaximum],
  ['clients/connected', ({ clientsConnected }) => clientsConnected],
  ['clients/active', ({ clientsConnected }) => clientsConnected],
  ['clients/disconnected', ({ clientsDisconnected }) => clientsDisconnected],
  ['clients/inactive', ({ clientsDisconnected }) => clientsDisconnected],
  ['clients/expired', ({ clientsExpired }) => clientsExpired],
  ['messages/received', ({ packetsReceived }) => packetsReceived],
  ['messages/sent', ({ packetsSent }) => packetsSent],
  ['messages/stored', ({ retainedMessages, queuedMessages }) => retainedMessages + queuedMessages],
  ['store/messages/count', ({ retainedMessages, queuedMessages }) => retainedMessages + queuedMessages],
  ['store/messages/bytes', ({ retainedBytes, queuedBytes }) => retainedBytes + queuedBytes],
  ['retained messages/count', ({ retainedMessages }) => retainedMessages],
  ['subscriptions/count', ({ subscriptions }) => subscriptions],
  ['shared_subscriptions/count', ({ sharedSubscriptions }) => sharedSubscriptions],
  ['publish/messages/received', ({ publishesReceived }) => publishesReceived],
  ['publish/messages/sent', ({ publishesSent }) => publishesSent],
  ['publish/messages/dropped', ({ dropped }) => dropped],
  ['publish/bytes/received', ({ publishBytesReceived }) => publishBytesReceived],
  ['publish/bytes/sent', ({ publishBytesSent }) => publishBytesSent],
  ['bytes/received', ({ bytesReceived }) => bytesReceived],
  ['bytes/sent', ({ bytesSent }) => bytesSent],
  ['heap/current', ({ memoryBytes }) => memoryBytes],
]

/** What is averaged as events per minute. */
const LOADS: readonly (readonly [string, (figures: Figures) => number])[] = [
  ['messages/received', ({ packetsReceived }) => packetsReceived],
  ['messages/sent', ({ packetsSent }) => packetsSent],
  ['publish/dropped', ({ dropped }) => dropped],
  ['publish/received', ({ publishesReceived }) => publishesReceived],
  ['publish/sent', ({ publishesSent }) => publishesSent],
  ['bytes/received', ({ bytesReceived }) => bytesReceived],
  ['bytes/sent', ({ bytesSent }) => bytesSent],
  ['sockets', ({ sockets }) => sockets],
  ['connections', ({ connects }) => connects],
]

const MINUTES = [1, 5, 15]

/** The tree of topics `$SYS/broker/…` as Mosquitto 2.0 names it, and what is ours under `$SYS/broker/pipit/…`.
 *  A value is published when it has changed. */
export class SysTree {
  private readonly publish: PublishValue
  private readonly published = new Map<string, string>()
  private readonly loads: Load[]
  private heapMaximum = 0
  private updatedAt: number | undefined = undefined

  constructor(version: string, publish: PublishValue) {
    this.publish = publish
    this.loads = LOADS.flatMap(([name, read]) => MINUTES.map((minutes) => new Load(name, minutes, read)))
    this.say('version', version)
  }

  /** @param now milliseconds */
  update(figures: Figures, now: number): void {
    for (const [topic, read] of VALUES) this.say(topic, String(read(figures)))
    this.heapMaximum = Math.max(this.heapMaximum, figures.memoryBytes)
    this.say('heap/maximum', String(this.heapMaximum))
    for (const [reason, count] of figures.drops) {
      this.say(`pipit/dropped/${reason.replaceAll(' ', '_')}`, String(count))
    }
    const elapsed = this.updatedAt === undefined ? 0 : (now - this.updatedAt) / 1000
    this.updatedAt = now
    for (const load of this.loads) this.say(load.topic, load.update(figures, elapsed))
  }

  private say(topic: string, value: string): void {
    if (this.published.get(topic) === value) return
    this.published.set(topic, value)
    this.publish(`$SYS/broker/${topic}`, value)
  }
}

/** An exponentially weighted average of events per minute, as Mosquitto's `calc_load`. */
class Load {
  readonly topic: string
  private readonly minutes: number
  private readonly read: (figures: Figures) => number
  private count = 0
  private average = 0

  constructor(name: string, minutes: number, read: (figures: Figures) => number) {
    this.topic = `load/${name}/${minutes}min`
    this.minutes = minutes
    this.read = read
  }

  /** @param elapsed seconds since the last update; 0 at the first */
  update(figures: Figures, elapsed: number): string {
    const count = this.read(figures)
    if (elapsed > 0) {
      const perMinute = ((count - this.count) * 60) / elapsed
      const weight = Math.exp(-elapsed / (60 * this.minutes))
      this.average = perMinute + weight * (this.average - perMinute)
    }
    this.count = count
    return this.average.toFixed(2)
  }
}
