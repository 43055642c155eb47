import type { TlsOptions } from '@pipit/client'
import type { Command } from 'commander'
import { UsageError } from './command-line.ts'
import { readNamedFile } from './named-file.ts'

/** How a broker is reached, and TLS to it: what all clients are told in the same words. */
export type Scheme = 'mqtt' | 'mqtts' | 'ws' | 'wss'

export const PORTS: Readonly<Record<Scheme, number>> = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 }

/** Options of clients that a broker, too, has, and with another meaning there: what they are called in the
 *  environment. */
export const CLIENT_VARIABLES = {
  '--port': 'PIPIT_BROKER_PORT',
  '--insecure': 'PIPIT_TLS_INSECURE',
} as const

export interface TlsGiven {
  readonly cafile?: string
  readonly cert?: string
  readonly key?: string
  readonly insecure?: boolean
}

export function addTlsOptions(command: Command): Command {
  return command
    .option('--cafile <file>', 'TLS, and the PEM file of the authorities to trust')
    .option('--cert <file>', 'the PEM file of a certificate to show to the broker; with --key')
    .option('--key <file>', 'the PEM file of its key')
    .option('--insecure', "TLS without checking the broker's certificate: for tests")
}

/** What TLS is given, or undefined where nothing asks for it.
 *  @throws UsageError, CommandError for a file that cannot be read */
export function readTls(given: TlsGiven, scheme: Scheme): TlsOptions | undefined {
  const { cafile, cert, key, insecure = false } = given
  const isWanted = (cafile ?? cert ?? key) !== undefined || insecure
  if (!isWanted && secured(scheme) !== scheme) return undefined
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('--cert and --key go together')
  return {
    ...(cafile !== undefined && { ca: readNamedFile('--cafile', cafile) }),
    ...(cert !== undefined && { cert: readNamedFile('--cert', cert) }),
    ...(key !== undefined && { key: readNamedFile('--key', key) }),
    ...(insecure && { rejectUnauthorized: false }),
  }
}

/** The scheme with TLS. */
export function secured(scheme: Scheme): Scheme {
  return scheme === 'mqtt' ? 'mqtts' : scheme === 'ws' ? 'wss' : scheme
}

/** A URL of a broker, in its parts. */
export interface Endpoint {
  readonly scheme: Scheme
  /** An IPv6 address is without its brackets. */
  readonly host: string
  readonly port: number | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  /** Behind the address, from the slash on. */
  readonly path: string
  readonly hash: string
}

/** Reads the URL that an option names.
 *  @param option such as `-L`, for complaints
 *  @param form what it takes
 *  @throws UsageError, without the password in the text */
export function readEndpoint(option: string, text: string, form: string, schemes = SCHEMES): Endpoint {
  const url = URL.parse(text)
  if (url === null || url.hostname === '') {
    throw new UsageError(`${option} is ${JSON.stringify(withoutPassword(text))}; it takes ${form}`)
  }
  const scheme = schemes.find((each) => url.protocol === `${each}:`)
  if (scheme === undefined)
    throw new UsageError(`${option}: the scheme is ${url.protocol}//; it takes ${form}`)
  return {
    scheme,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? undefined : Number(url.port),
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: url.password === '' ? undefined : decodeURIComponent(url.password),
    path: `${url.pathname}${url.search}`,
    hash: url.hash,
  }
}

const SCHEMES: readonly Scheme[] = ['mqtt', 'mqtts', 'ws', 'wss']

/** What was given for a URL, as it may be printed: without user and password. */
export function withoutPassword(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/+)?.*@/is, '$1…@')
}
