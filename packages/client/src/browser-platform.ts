import type { Platform } from './platform.ts'
import { pageWebSocket } from './transport/websocket-browser.ts'

/** What a page gives a client. Functions of the page refuse to be called as another object's ("Illegal invocation"). */
export const browserPlatform: Platform = {
  transportFor(url) {
    if (url.protocol !== 'ws:' && url.protocol !== 'wss:') {
      throw new TypeError(`${url.protocol} is no WebSocket; a page takes ws: and wss:`)
    }
    return (target, signal) => pageWebSocket(target.url, signal)
  },
  defer: (run) => queueMicrotask(run),
  // Unlike performance.now(), it goes on while the machine sleeps, in every browser.
  now: Date.now,
  random: Math.random,
  // A background tab holds them back to one a minute: the part `timers` does not.
  setTimer: (run, ms) => setTimeout(run, ms),
  clearTimer: (timer) => clearTimeout(timer as number),
}
