import { AWAITING_PUBCOMP, MqttError, type Outbound, type ReasonCode } from '@pipit/protocol'
import { describeReason } from './describe-reason.ts'
import { ConnectionLostError } from './errors.ts'
import type { Link } from './link.ts'
import { integer } from './options.ts'
import type { Publication } from './publication.ts'

/** What a peer that hangs up looks like; a browser shows every connection that broke as a closed WebSocket. */
const CLOSED_BY_PEER: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'WEBSOCKET_CLOSED'])

/** Finds the message on which connections end: those in flight at an end are suspects, sent one at a time
 *  on the next connection; one on which it ended too often, in the same way, is taken out. */
export class Quarantine {
  private readonly limit: number
  private readonly outbound: Outbound<Publication>
  /** Suspects that are sent one at a time now. */
  private suspects = 0

  /** @param limit how often a connection may end on a message
   *  @throws RangeError for a limit that is none */
  constructor(limit: number | undefined, outbound: Outbound<Publication>) {
    this.limit = integer(limit ?? 3, 'poisonLimit', 1, 1000)
    this.outbound = outbound
  }

  /** A connection has ended. @param unsent identifiers that had not been sent again on it */
  blame(error: unknown, unsent: readonly number[]): void {
    const signature = signatureOf(error)
    if (signature === undefined) return
    const innocent = new Set(unsent)
    for (const packetId of this.outbound.unacknowledged()) {
      const publication = this.outbound.message(packetId)
      if (publication === undefined || innocent.has(packetId)) continue
      if (this.outbound.state(packetId) === AWAITING_PUBCOMP) continue
      publication.losses = publication.lossSignature === signature ? publication.losses + 1 : 1
      publication.lossSignature = signature
      publication.lossCause = error
    }
  }

  /** A connection begins. @returns the messages that are not to be sent again, out of flight, with their errors */
  takeOut(): (readonly [Publication, PoisonMessageError])[] {
    const poison: (readonly [Publication, PoisonMessageError])[] = []
    this.suspects = 0
    for (const packetId of this.outbound.unacknowledged()) {
      const publication = this.outbound.message(packetId)
      if (publication === undefined || publication.losses === 0) continue
      if (publication.losses < this.limit) {
        this.suspects++
        continue
      }
      this.outbound.forget(packetId)
      const { topic, losses, lossSignature, lossCause } = publication
      const text = `the message to ${topic} ended the connection ${losses} times (${lossSignature})`
      poison.push([publication, new PoisonMessageError(text, losses, lossCause)])
    }
    return poison
  }

  /** How many messages may be in flight on a connection that begins. */
  windowOf(link: Link): number {
    return this.suspects > 0 ? 1 : link.serverReceiveMaximum
  }

  /** The server took a suspect; after the last one the window opens again.
   *  @param unsent how many messages have not been sent again yet */
  clear(publication: Publication, link: Link | undefined, unsent: number): void {
    publication.losses = 0
    if (--this.suspects > 0 || link === undefined) return
    const { quota } = this.outbound
    quota.reset(link.serverReceiveMaximum)
    for (const packetId of this.outbound.unacknowledged()) {
      if (this.outbound.message(packetId) !== undefined) quota.take()
    }
    for (let i = 0; i < unsent; i++) quota.give()
  }
}

/** How a connection ended, when the server ended it: perhaps because of a message. Ends that look alike have
 *  the same signature; undefined: no message can be to blame. */
function signatureOf(error: unknown): string | undefined {
  if (!(error instanceof ConnectionLostError)) return undefined
  if (error.reasonCode !== undefined) return `DISCONNECT ${describeReason(error.reasonCode)}`
  const code = (error.cause as { code?: unknown } | undefined)?.code
  return error.cause === undefined || CLOSED_BY_PEER.has(code) ? 'closed' : undefined
}

/** A message that ended the connection several times in the same way and is not sent again. */
export class PoisonMessageError extends MqttError {
  /** How often the connection ended on it. */
  readonly times: number

  constructor(message: string, times: number, cause: unknown, reasonCode?: ReasonCode) {
    super('POISON_MESSAGE', message, { cause, reasonCode })
    this.times = times
  }
}
