import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { BrokerOptions, TcpListenOptions, TlsOptions } from '@pipit/broker'
import { CERTS } from './cert.ts'
import { CommandError } from './faults.ts'
import { PASSWORDS } from './passwd.ts'

/** A place to listen at. */
export type Place = TcpListenOptions & { readonly host: string; readonly port: number }

/** What the command line says of TLS and ports. */
export interface DoorOptions {
  readonly port: number
  readonly data: string
  readonly tls?: string
}

/** Where to listen: loopback addresses speak plain MQTT, others TLS when there are certificates.
 *  @param portIsSaid the port counts for all; otherwise TLS has 8883
 *  @throws CommandError when --tls names a folder without certificates */
export function placesFor(hosts: readonly string[], options: DoorOptions, portIsSaid: boolean): Place[] {
  const tls = tlsFrom(options)
  return hosts.map((host) => {
    if (isLoopback(host) || tls === undefined) return { host, port: options.port }
    return { host, port: portIsSaid ? options.port : 8883, tls }
  })
}

function tlsFrom({ data, tls }: DoorOptions): TlsOptions | undefined {
  const folder = tls ?? join(data, CERTS)
  const [certificate, key] = [join(folder, 'server.crt'), join(folder, 'server.key')]
  if (existsSync(certificate) && existsSync(key)) return { certificate, key }
  if (tls === undefined) return undefined
  throw new CommandError(
    `--tls ${tls}: there is no server.crt with its server.key; \`pipit cert dev\` makes them`,
  )
}

/** The broker's options with the password file of its data folder, when that is there and nothing else is said. */
export function withAccess(
  options: BrokerOptions & { readonly data: string },
): BrokerOptions & { data: string } {
  const { access, data } = options
  const file = join(data, PASSWORDS)
  const saysWho = (access?.passwordFile ?? access?.anonymous ?? access?.jwt ?? access?.http) !== undefined
  if (saysWho || !existsSync(file)) return options
  return { ...options, access: { ...access, passwordFile: file } }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}
