import { EVERY_PART } from './every-part.ts'
import type { ClientOptions } from './options.ts'
import type { Platform } from './platform.ts'
import type { Transport } from './transport/stream.ts'
import { type Dial, tcp, unix } from './transport/tcp.ts'
import { type TlsOptions, tls } from './transport/tls.ts'
import { type WebSocketOptions, webSocket } from './transport/websocket-node.ts'

export interface NodeClientOptions extends ClientOptions {
  /** For mqtts: and wss: */
  readonly tls?: TlsOptions
  /** For ws: and wss: */
  readonly webSocket?: WebSocketOptions
  /** How to reach host and port; default: TCP. `socks5(url)` and `httpConnect(url)` go through a proxy. */
  readonly dial?: Dial
}

const SCHEMES: Readonly<Record<string, (options: NodeClientOptions) => Transport>> = {
  'mqtt:': tcpTransport,
  'tcp:': tcpTransport,
  'mqtts:': tlsTransport,
  'ssl:': tlsTransport,
  'tls:': tlsTransport,
  'ws:': webSocketTransport,
  'wss:': webSocketTransport,
  'unix:': () => (target, signal) => unix(target.url, signal),
}

function tcpTransport({ dial }: NodeClientOptions): Transport {
  return (target, signal) => tcp(target.url, dial, signal)
}

function tlsTransport({ dial, tls: options = {} }: NodeClientOptions): Transport {
  return (target, signal) => tls(target.url, options, dial, signal)
}

function webSocketTransport({
  dial,
  tls: secure = {},
  webSocket: options = {},
}: NodeClientOptions): Transport {
  return (target, signal) => webSocket(target.url, options, secure, dial, signal)
}

/** A clock that goes on while the machine sleeps, where the system has one; it never goes back. */
export const nodePlatform: Platform = {
  parts: EVERY_PART,
  transportFor(url, options) {
    const transport = SCHEMES[url.protocol]
    if (transport === undefined) {
      throw new TypeError(`${url.protocol} is no scheme of a broker; mqtt:, mqtts:, ws:, wss: and unix: are`)
    }
    return transport(options)
  },
  defer: setImmediate,
  now: () => performance.now(),
  random: Math.random,
  setTimer: setTimeout,
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
}
