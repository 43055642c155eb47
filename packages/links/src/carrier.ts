import { type Message, type MqttClient, MqttError, type PublishProperties } from '@pipit/client'

/** A message on its way: what came, and how it goes on. */
export interface Carriage {
  readonly message: Message
  readonly topic: string
  readonly retain: boolean
  readonly properties: PublishProperties
}

/** How often a message is offered that the other end has no room for, a second apart. */
const MOST_OFFERS = 60
const OFFER_MS = 1_000

/** Carries messages to one end. Each is acknowledged where it came from only after the end has acknowledged it: what
 *  the end does not have yet stays with its sender, whichever of them, or the link itself, fails. */
export class Carrier {
  /** Messages carried, and messages that the end would not have. */
  carried = 0
  dropped = 0
  /** Messages that the end has not acknowledged. */
  pending = 0
  private readonly to: MqttClient
  private readonly log: (message: string) => void
  private readonly ended: AbortSignal
  private wasUnable = false

  /** @param log told of each message that is dropped */
  constructor(to: MqttClient, log: (message: string) => void, ended: AbortSignal) {
    this.to = to
    this.log = log
    this.ended = ended
  }

  /** Takes a message over; never throws. One of QoS 0 is not kept for an end that is away. */
  carry(carriage: Carriage): void {
    if (carriage.message.qos === 0 && this.to.state !== 'connected') return
    this.pending++
    void this.deliver(carriage).finally(() => {
      this.pending--
    })
  }

  private async deliver(carriage: Carriage): Promise<void> {
    const { message, topic, retain, properties } = carriage
    for (let offers = 1; ; offers++) {
      try {
        await this.to.publish(topic, message.payload, { qos: message.qos, retain, properties })
        this.carried++
        return message.acknowledge()
      } catch (error) {
        // Not acknowledged: it comes again when the link does.
        if (this.ended.aborted || this.isUnable(error)) return
        if (!(await this.mayOfferAgain(error, offers))) return this.drop(carriage, error)
      }
    }
  }

  /** The end takes nothing any more, whatever the message: its store has failed, or it has ended for good. */
  private isUnable(error: unknown): boolean {
    const isUnable =
      this.to.state === 'closed' || (error instanceof MqttError && error.code === 'STORE_FAILED')
    if (isUnable && !this.wasUnable) {
      this.wasUnable = true
      this.log(`nothing more is carried, messages stay with their sender: ${textOf(error)}`)
    }
    return isUnable
  }

  /** What was in flight is gone with a session that the end has not kept, and some ends are full for a while. */
  private async mayOfferAgain(error: unknown, offers: number): Promise<boolean> {
    if (!(error instanceof MqttError)) return false
    if (error.code === 'SESSION_ENDED') return true
    if (error.reasonCode !== 0x97 || offers >= MOST_OFFERS) return false
    await new Promise((resolve) => setTimeout(resolve, OFFER_MS))
    return !this.ended.aborted
  }

  private drop({ message, topic }: Carriage, error: unknown): void {
    this.dropped++
    this.log(`a message to ${JSON.stringify(topic)} is dropped: ${textOf(error)}`)
    message.acknowledge()
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
