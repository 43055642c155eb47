import { type Message, type MqttClient, MqttError, type PublishProperties } from '@pipit/client'
import { type Before, digestOf, type End, type PassageStore } from './passage-store.ts'

/** A message on its way: what came, and how it goes on. */
export interface Carriage {
  readonly message: Message
  readonly topic: string
  readonly retain: boolean
  readonly properties: PublishProperties
}

/** What a carrier is given beside the end that it carries to. */
export interface CarrierOptions {
  /** Told of each message that is dropped. */
  readonly log: (message: string) => void
  /** Told once, when the end takes nothing any more, whatever the message. */
  readonly unable: (error: unknown) => void
  readonly ended: AbortSignal
  /** What remembers QoS 2 messages beyond this process, and the end that they come from. */
  readonly passage?: { readonly store: PassageStore; readonly from: End } | undefined
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
  private readonly options: CarrierOptions
  private wasUnable = false

  constructor(to: MqttClient, options: CarrierOptions) {
    this.to = to
    this.options = options
  }

  /** Takes a message over; never throws. One of QoS 0 is not kept for an end that is away. */
  carry(carriage: Carriage): void {
    if (carriage.message.qos === 0 && this.to.state !== 'connected') return
    this.pending++
    void this.take(carriage).finally(() => {
      this.pending--
    })
  }

  private async take(carriage: Carriage): Promise<void> {
    const before = this.before(carriage)
    if (before === 'new') return this.deliver(carriage)
    // An earlier process has carried it, or was about to.
    if (before === 'carried' || (await before)) return carriage.message.acknowledge()
    return this.deliver(carriage)
  }

  private before({ message, topic }: Carriage): Before {
    const { passage } = this.options
    if (passage === undefined || message.qos !== 2) return 'new'
    return passage.store.before(passage.from, message, digestOf(topic, message.payload))
  }

  private async deliver(carriage: Carriage): Promise<void> {
    const { message, topic, retain, properties } = carriage
    const { passage, ended } = this.options
    const once = message.qos === 2 ? passage : undefined
    for (let offers = 1; ; offers++) {
      try {
        once?.store.begins(once.from, message, digestOf(topic, message.payload))
        await this.to.publish(topic, message.payload, { qos: message.qos, retain, properties })
        this.carried++
        return message.acknowledge()
      } catch (error) {
        once?.store.withdraws(once.from, message)
        // Not acknowledged: it comes again when the link does.
        if (ended.aborted || this.isUnable(error)) return
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
      this.options.unable(error)
    }
    return isUnable
  }

  /** What was in flight is gone with a session that the end has not kept, and some ends are full for a while. */
  private async mayOfferAgain(error: unknown, offers: number): Promise<boolean> {
    if (!(error instanceof MqttError)) return false
    if (error.code === 'SESSION_ENDED') return true
    if (error.reasonCode !== 0x97 || offers >= MOST_OFFERS) return false
    await new Promise((resolve) => setTimeout(resolve, OFFER_MS))
    return !this.options.ended.aborted
  }

  private drop({ message, topic }: Carriage, error: unknown): void {
    this.dropped++
    this.options.log(`a message to ${JSON.stringify(topic)} is dropped: ${textOf(error)}`)
    message.acknowledge()
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
