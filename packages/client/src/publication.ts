import {
  checkTopicName,
  NO_PROPERTIES,
  type Publish,
  type PublishProperties,
  propertiesLength,
  type QoS,
  type ReasonCode,
  type ReasonProperties,
} from '@pipit/protocol'
import { checkQoS } from './options.ts'

/** How a publish ended well. */
export interface PublishResult {
  /** 0x00, or 0x10: nobody had subscribed (MQTT 5.0). */
  readonly reasonCode: ReasonCode
  readonly properties: ReasonProperties
}

export const NO_PAYLOAD = new Uint8Array(0)

/** What nearly every publish ends with: one object for all. */
export const SUCCESS: PublishResult = Object.freeze({ reasonCode: 0, properties: NO_PROPERTIES })

/** One message on its way out, until it is settled. It is the packet too, so that none is made to send it. */
export class Publication implements Publish {
  readonly type = 'PUBLISH'
  topic: string
  payload: Uint8Array
  qos: QoS
  retain: boolean
  dup = false
  /** It has been written to some connection: next time it is a copy. */
  wasSent = false
  packetId = 0
  properties: PublishProperties | undefined
  /** When `publish` was called, in the platform's clock: messageExpiryInterval counts from here. */
  queuedAt = 0
  /** How many connections have ended while it was in flight. */
  losses = 0
  /** How they ended, when they ended alike, and the last error. */
  lossSignature: string | undefined = undefined
  lossCause: unknown = undefined
  settled = false
  /** Where it waits, until it is sent or settled. */
  queue: { abandon(publication: Publication): void } | undefined = undefined
  /** Its number in the journal; 0: it is in none. */
  number = 0
  /** The journal has it safe. */
  safe = true
  /** Undoes what watches the caller's signal and time. */
  unwatch: (() => void) | undefined = undefined
  private resolve: ((result: PublishResult) => void) | undefined = undefined
  private reject: ((error: unknown) => void) | undefined = undefined

  constructor(topic: string, payload: Uint8Array, qos: QoS, retain: boolean, properties?: PublishProperties) {
    this.topic = topic
    this.payload = payload
    this.qos = qos
    this.retain = retain
    this.properties = properties
  }

  /** Says whether somebody waits for it: nobody does for what an earlier process left. */
  get isAwaited(): boolean {
    return this.resolve !== undefined
  }

  /** What the caller waits for. */
  promise(): Promise<PublishResult> {
    return new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  succeed(result: PublishResult): void {
    if (this.settled) return
    this.settled = true
    this.unwatch?.()
    this.resolve?.(result)
  }

  fail(error: unknown): void {
    if (this.settled) return
    this.settled = true
    this.unwatch?.()
    this.queue?.abandon(this)
    this.reject?.(error)
  }
}

/** The largest message that fits MQTT's Remaining Length with the longest topic and no properties. */
const LARGEST_PAYLOAD = 268435455 - 65535 - 8

/** Checks what is to be published, at the call. */
export class PublicationCheck {
  private lastTopic = ''

  /** @throws TypeError, RangeError for what cannot be published */
  check(publication: Publication): void {
    const { topic, properties, payload } = publication
    // Publishers repeat their topics, and a valid one stays valid.
    if (topic !== this.lastTopic) {
      checkTopicName(topic)
      this.lastTopic = topic
    }
    checkQoS(publication.qos, 'qos')
    let length = payload.length
    if (properties !== undefined) {
      if (properties.topicAlias !== undefined)
        throw new TypeError('PUBLISH: topicAlias; the client assigns it: leave it out')
      length += propertiesLength(properties, 'PUBLISH')
    }
    if (length > LARGEST_PAYLOAD) {
      throw new RangeError(
        `payload takes ${length} bytes with its properties; ${LARGEST_PAYLOAD} is the most`,
      )
    }
  }
}
