import type { TlsOptions } from '@pipit/client'
import { type Clock, systemClock } from '../clock.ts'
import type { SimulatedBroker } from '../simulation/broker.ts'
import type { OpenWire } from '../wire.ts'

/** What the broker publishes when the device is gone without a word. */
export interface DeviceWill {
  readonly topic: string
  readonly payload: string | Uint8Array
  readonly qos?: 0 | 1 | 2
  readonly retain?: boolean
}

export interface DeviceClientOptions {
  readonly clientId: string
  /** Host name or address of the broker. */
  readonly server: string
  /** Default 1883; 8883 with TLS. */
  readonly port?: number
  readonly user?: string
  readonly password?: string
  /** Seconds, 0 to 65535; 0 turns it off. Default 60. */
  readonly keepAlive?: number
  /** true: TLS, with the certificates the system trusts; or what it takes: `{ ca }`, `{ cert, key }`. Default false. */
  readonly tls?: boolean | TlsOptions
  readonly will?: DeviceWill
  /** Default `auto`: 5.0, then 3.1.1 if the broker does not speak it. */
  readonly version?: '3.1.1' | '5.0' | 'auto'
  /** Seconds for which the broker keeps the session of a device that has gone: subscriptions and what came for
   *  them at QoS 1 and 2. Default 0: it begins anew each time. */
  readonly sessionSeconds?: number
  /** How long `connect` tries; default 10000. */
  readonly connectTimeoutMs?: number
  /** Messages wait until `checkMessages` is called, for code that has its own loop. Default false: the callback
   *  is called as they come. */
  readonly polled?: boolean
  /** true: no network; what is published is printed, and `simulateMessage` plays the others. `if-no-broker`: that,
   *  when the broker is to be on this machine and nothing answers there. Default false. */
  readonly simulate?: boolean | 'if-no-broker'
  /** The broker of the simulation, when several devices are to share one; default: one of its own. */
  readonly simulatedBroker?: SimulatedBroker
  /** Where a simulated device prints; default `console.log`. */
  readonly print?: (line: string) => void
  /** Opens the connection instead of MQTT over TCP or TLS, as a test rig does. */
  readonly wire?: OpenWire
  /** Measures the waits of `readTopic`. */
  readonly clock?: Clock
}

/** The options with every default in place. */
export interface DeviceSettings extends DeviceClientOptions {
  readonly url: string
  readonly clock: Clock
  readonly keepAlive: number
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1)$/

/** Checks the options at the door.
 *  @throws TypeError, RangeError naming the option and what it takes */
export function settingsOf(options: DeviceClientOptions): DeviceSettings {
  const { clientId, server, tls = false, keepAlive = 60, simulate = false } = options
  if (typeof clientId !== 'string' || clientId === '') {
    throw new TypeError(`clientId is ${JSON.stringify(clientId)}; it takes a name that no other device has`)
  }
  if (typeof server !== 'string' || !/^[^\s/@]+$/.test(server)) {
    throw new TypeError(
      `server is ${JSON.stringify(server)}; it takes a host name or address, such as 192.168.1.10`,
    )
  }
  const port = whole('port', options.port ?? (tls === false ? 1883 : 8883), 1, 65_535)
  whole('keepAlive', keepAlive, 0, 65_535)
  whole('sessionSeconds', options.sessionSeconds ?? 0, 0, 4_294_967_295)
  whole('connectTimeoutMs', options.connectTimeoutMs ?? 10_000, 1, 2_147_483_647)
  if (simulate === 'if-no-broker' && !LOOPBACK.test(server)) {
    throw new RangeError(
      `simulate is "if-no-broker", but server is ${server}: only where the broker is to be on this machine ` +
        '(localhost) may a simulation stand in for it; take true or false',
    )
  }
  const host = server.includes(':') ? `[${server}]` : server
  const url = `${tls === false ? 'mqtt' : 'mqtts'}://${host}:${port}`
  if (!URL.canParse(url)) throw new TypeError(`server is ${JSON.stringify(server)}; no host is called that`)
  return { ...options, url, clock: options.clock ?? systemClock, keepAlive }
}

function whole(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(
      `${name} is ${JSON.stringify(value)}; it takes a whole number from ${least} to ${most}`,
    )
  }
  return value
}
