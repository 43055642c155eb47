import { MqttError } from '@pipit/protocol'
import type { Platform } from './platform.ts'
import { Publication } from './publication.ts'

/** Message Expiry Intervals, counted while messages wait here.
 *  @see MQTT 5.0, 3.3.2.3.3 */
export class Expiry {
  private readonly platform: Platform

  constructor(platform: Platform) {
    this.platform = platform
  }

  /** A message that expires while it waits is settled then, connection or not. */
  watch(publication: Publication): void {
    const interval = publication.properties?.messageExpiryInterval
    if (interval === undefined) return
    const leftMs = Math.max(interval, 1) * 1000 - (this.platform.now() - publication.queuedAt)
    if (leftMs > 2_147_483_647) return
    const timer = this.platform.setTimer(() => {
      const expired = publication.queue === undefined ? undefined : this.errorOf(publication)
      if (expired !== undefined) publication.fail(expired)
    }, leftMs + 1)
    const before = publication.unwatch
    publication.unwatch = () => {
      before?.()
      this.platform.clearTimer(timer)
    }
  }

  /** Why a message is too old to be sent; undefined when it is not. */
  errorOf(publication: Publication): MessageExpiredError | undefined {
    const interval = publication.properties?.messageExpiryInterval
    if (interval === undefined || this.secondsWaited(publication) < Math.max(interval, 1)) return undefined
    return new MessageExpiredError(`the message to ${publication.topic} waited over ${interval} s`)
  }

  /** The message with what is left of its time. */
  shortened(publication: Publication): Publication {
    const interval = publication.properties?.messageExpiryInterval
    if (interval === undefined || publication.queuedAt === 0) return publication
    const messageExpiryInterval = Math.max(0, interval - this.secondsWaited(publication))
    const properties = { ...publication.properties, messageExpiryInterval }
    const { topic, payload, qos, retain } = publication
    const packet = new Publication(topic, payload, qos, retain, properties)
    packet.dup = publication.dup
    packet.packetId = publication.packetId
    return packet
  }

  private secondsWaited(publication: Publication): number {
    return publication.queuedAt === 0 ? 0 : Math.floor((this.platform.now() - publication.queuedAt) / 1000)
  }
}

/** A message waited longer than its Message Expiry Interval and was not sent. */
export class MessageExpiredError extends MqttError {
  constructor(message: string) {
    super('MESSAGE_EXPIRED', message)
  }
}
