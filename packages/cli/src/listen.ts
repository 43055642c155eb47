import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Broker } from '@pipit/broker'
import type { Place } from './doors.ts'
import { CommandError, systemCode } from './faults.ts'

/** Both loopback addresses: `localhost` is either, as the client's system likes it. */
export const LOOPBACKS: readonly string[] = ['127.0.0.1', '::1']

export interface Listening {
  readonly port: number
  /** `127.0.0.1:1883`, `[::1]:1883`. */
  readonly addresses: readonly string[]
}

/** Listens at each place; goes on without an address that this machine does not have, as long as there is one.
 *  Port 0 is any that is free on all.
 *  @throws CommandError naming the port and what to do */
export async function listenOn(broker: Broker, places: readonly Place[], tries = 20): Promise<Listening> {
  const listeners: Awaited<ReturnType<Broker['listen']>>[] = []
  let chosen = 0
  for (const place of places) {
    const port = place.port === 0 ? chosen : place.port
    try {
      const listener = await broker.listen({ ...place, port })
      listeners.push(listener)
      chosen = listener.port
    } catch (error) {
      const code = systemCode(error, Object.keys(LISTEN_FAULTS))
      if (MISSING.includes(code ?? '') && places.length > 1) continue
      if (place.port === 0 && code === 'EADDRINUSE' && listeners.length > 0 && tries > 1) {
        // Free on the first address, taken on this one: another try gets another port.
        await Promise.all(listeners.map((listener) => listener.close()))
        return listenOn(broker, places, tries - 1)
      }
      throw listenFault(error, code, place.host, port)
    }
  }
  const [first] = listeners
  if (first === undefined) {
    throw new CommandError(
      `this machine has none of the addresses ${places.map(({ host }) => host).join(', ')}`,
    )
  }
  const addresses = listeners.map(({ address, kind }) => (kind === 'tls' ? `tls://${address}` : address))
  return { port: first.port, addresses }
}

/** Fails as `listenOn` would, before anything else is begun: of two brokers on one port and one data folder
 *  the second one hears of the port.
 *  @throws CommandError naming the port and what to do */
export async function checkPorts(places: readonly Place[]): Promise<void> {
  for (const { host, port } of places) {
    if (port === 0) continue
    try {
      await tryToListen(host, port)
    } catch (error) {
      const code = systemCode(error, Object.keys(LISTEN_FAULTS))
      if (!MISSING.includes(code ?? '') || places.length === 1) throw listenFault(error, code, host, port)
    }
  }
}

/** Listens for a moment.
 *  @throws Error of the system when that cannot be */
export async function tryToListen(host: string, port: number): Promise<void> {
  const server = createServer()
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } finally {
    // A server that never listened says so when it is closed.
    await new Promise((resolve) => server.close(resolve))
  }
}

const MISSING: readonly string[] = ['EADDRNOTAVAIL', 'EAFNOSUPPORT']

const LISTEN_FAULTS: Readonly<Record<string, (where: string, port: number, host: string) => string>> = {
  EADDRINUSE: (where, port) =>
    `port ${port} is taken (${where}): another broker may be running; end it, or choose another port, such as ${howToSay(`--port ${port < 65535 ? port + 1 : 1883}`)}`,
  EACCES: (where, port) => `port ${port} (${where}) is not for this user; choose one above 1023 with --port`,
  EADDRNOTAVAIL: (where) => `this machine does not have the address of ${where}`,
  EAFNOSUPPORT: (where) => `this machine does not speak the protocol of ${where}`,
  ENOTFOUND: (_, __, host) => noAddress(host),
  EAI_AGAIN: (_, __, host) => noAddress(host),
}

function noAddress(host: string): string {
  return `${JSON.stringify(host)} is no address of this machine, nor a name of one; it takes one such as 127.0.0.1, ::1 or 0.0.0.0`
}

/** An option as the person who started this can give it: behind `npm start` npm wants a --. */
function howToSay(option: string): string {
  return process.env['npm_lifecycle_event'] === 'start' ? `\`npm start -- ${option}\`` : option
}

function listenFault(error: unknown, code: string | undefined, host: string, port: number): CommandError {
  // What is missing, and the commands that help, are said already.
  if (systemCode(error, ['INSECURE_LISTENER']) !== undefined)
    return new CommandError((error as Error).message)
  const where = address(host, port)
  const said = LISTEN_FAULTS[code ?? '']
  if (said !== undefined) return new CommandError(said(where, port, host))
  return new CommandError(
    `cannot listen on ${where}: ${error instanceof Error ? error.message : String(error)}`,
  )
}

export function address(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
