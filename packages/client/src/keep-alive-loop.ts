import { KeepAlive } from '@pipit/protocol'
import { ConnectionLostError } from './errors.ts'
import type { Link } from './link.ts'
import { type Platform, sleep } from './platform.ts'

/** Sends PINGREQ when the line is quiet, and ends a connection whose other end has gone:
 *  1.5 intervals after it was last heard of. Runs until `signal` aborts.
 *  @see MQTT 5.0, 3.1.2.10 */
export async function keepAliveLoop(link: Link, platform: Platform, signal: AbortSignal): Promise<void> {
  const { transport } = link
  const keepAlive = new KeepAlive(link.keepAlive, platform.now())
  let heard = transport.lastReceived
  while (keepAlive.nextStep() !== Number.POSITIVE_INFINITY) {
    const due = keepAlive.nextStep()
    await sleep(platform, Math.max(0, due - platform.now()), signal)
    // A timer that comes late (a sleeping machine, a throttled tab) has what arrived meanwhile still unread.
    const late = platform.now() - due > 1000
    if (late) await sleep(platform, 0, signal)
    keepAlive.sent(transport.lastSent)
    if (transport.lastReceived !== heard) {
      heard = transport.lastReceived
      keepAlive.received(heard)
    }
    const step = keepAlive.step(platform.now())
    if (step === 'ping') {
      link.ping()
      keepAlive.pinged(platform.now())
    } else if (step === 'dead') {
      const text = `nothing was heard for ${Math.round((platform.now() - heard) / 1000)} s (keepAlive)`
      transport.fail(new ConnectionLostError(text))
      return
    }
  }
}
