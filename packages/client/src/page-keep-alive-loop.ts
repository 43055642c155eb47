import { ConnectionLostError } from './errors.ts'
import type { Link } from './link.ts'
import { type Platform, sleep } from './platform.ts'

/** Keep alive in few words. @see keep-alive-loop.ts, whose place it takes in a page, and
 *  protocol/src/session/keep-alive.ts */
export async function keepAliveLoop(link: Link, platform: Platform, signal: AbortSignal): Promise<void> {
  const { transport } = link
  const intervalMs = link.keepAlive * 1000
  let heard = transport.lastReceived
  let pinged: number | undefined
  while (intervalMs > 0) {
    const quiet = Math.min(transport.lastSent, heard)
    const due = pinged === undefined ? quiet + intervalMs : pinged + intervalMs / 2
    await sleep(platform, Math.max(0, due - platform.now()), signal)
    // A timer that comes late (a sleeping machine, a throttled tab) has what arrived meanwhile still unread.
    if (platform.now() - due > 1000) await sleep(platform, 0, signal)
    if (transport.lastReceived !== heard) {
      heard = transport.lastReceived
      pinged = undefined
    } else if (platform.now() >= due && pinged !== undefined) {
      transport.fail(new ConnectionLostError('nothing was heard'))
      return
    }
    if (pinged === undefined && platform.now() - Math.min(transport.lastSent, heard) >= intervalMs) {
      link.ping()
      pinged = platform.now()
    }
  }
}
