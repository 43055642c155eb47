import type { Random } from '../clock.ts'
import type { NetworkConditions } from './scenario.ts'

/** Payload of one TCP segment over Ethernet. */
const SEGMENT_BYTES = 1460

/** When what was sent is there, or when TCP gives the connection up. */
export interface Passage {
  readonly at: number
  readonly arrives: boolean
  /** Segments that were sent again. */
  readonly again: number
}

/** One direction of a connection over a lossy link, as TCP shows it to those above: nothing is missing and nothing
 *  overtakes, so a lost segment is a delay (it is sent again, each time after twice as long), and one that is lost
 *  `giveUpAfter` times in a row is the end of the connection. */
export class Direction {
  private readonly conditions: NetworkConditions
  private readonly random: Random
  private readonly isDark: (at: number) => boolean
  private last = 0

  /** @param isDark says whether the link carries nothing at all at that moment */
  constructor(conditions: NetworkConditions, random: Random, isDark: (at: number) => boolean = () => false) {
    this.conditions = conditions
    this.random = random
    this.isDark = isDark
  }

  /** Sends so many bytes.
   *  @param now milliseconds of the link's clock */
  send(bytes: number, now: number): Passage {
    let at = this.last
    let again = 0
    for (let left = bytes; left > 0; left -= SEGMENT_BYTES) {
      const segment = this.sendSegment(now)
      again += segment.again
      at = Math.max(at, segment.at)
      if (!segment.arrives) return { at, arrives: false, again }
    }
    this.last = at
    return { at, arrives: true, again }
  }

  private sendSegment(now: number): Passage {
    const { loss, latency, latencySpread, retransmitAfter, giveUpAfter } = this.conditions
    let sentAt = now
    for (let again = 0; again < giveUpAfter; again++) {
      if (this.random() >= loss && !this.isDark(sentAt)) {
        return { at: sentAt + latency + latencySpread * this.random(), arrives: true, again }
      }
      sentAt += retransmitAfter * 2 ** again
    }
    return { at: sentAt, arrives: false, again: giveUpAfter }
  }
}
