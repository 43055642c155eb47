import { Supervisor } from '@pipit/bridge'
import { child } from './bridge.ts'
import { BRIDGE_PORT } from './bridge-options.ts'
import { CommandError, type Target } from './faults.ts'
import { tryToListen } from './listen.ts'

export interface BesideOptions {
  /** The broker's. */
  readonly target: Target
  readonly data: string
  /** The API's; absent: 8081, or any that is free when the broker's is such a one. */
  readonly port: number | undefined
  readonly isAnyPort: boolean
  /** Says a line to the person who started it. */
  readonly note: (line: string) => void
}

const HOST = '127.0.0.1'

/** Runs the bridge beside a broker, as two processes on loopback.
 *  @returns what ends it
 *  @throws CommandError when the port that was asked for is taken */
export async function bridgeBeside(options: BesideOptions): Promise<() => Promise<void>> {
  const { target, data, note } = options
  const port = options.port ?? (options.isAnyPort ? 0 : BRIDGE_PORT)
  if (!(await isFree(port))) {
    const said = `port ${port} is taken; choose another with --bridge-port, or leave the bridge out with --no-bridge`
    if (options.port !== undefined) throw new CommandError(said)
    note(`The bridge is not up: ${said}.`)
    return async () => undefined
  }
  const host = target.host.includes(':') ? `[${target.host}]` : target.host
  const shared = ['--broker', `mqtt://${host}:${target.port}`, '--data', data]
  const ready = (line: string): void => {
    const address = /ready on (\S+)/.exec(line)?.[1]
    if (address !== undefined)
      note(`The bridge is up: an HTTP API on ${address}; ${address}/docs says what it can.`)
  }
  const parts = [
    child('api', [...shared, '--bind', HOST, '--port', String(port)], ready),
    child('worker', isOpen() ? [...shared, '--hooks-inside'] : shared, () => undefined),
  ]
  const supervisor = new Supervisor(parts, (line) => note(`bridge: ${line}`))
  return () => supervisor.stop()
}

/** Nobody has said who may use the API, or where webhooks may go. */
function isOpen(): boolean {
  const said = ['PIPIT_KEYS', 'PIPIT_JWT_SECRET', 'PIPIT_JWT_JWKS', 'PIPIT_HOOKS_INSIDE']
  return said.every((name) => process.env[name] === undefined)
}

function isFree(port: number): Promise<boolean> {
  return tryToListen(HOST, port).then(
    () => true,
    () => false,
  )
}
