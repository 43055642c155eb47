import { readdirSync, readFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { extname, join } from 'node:path'
import { fromMosquitto, type MosquittoDocument, type MosquittoFile, type MosquittoHost } from '@pipit/broker'
import { stringify } from 'yaml'

/** Says whether a file is a mosquitto.conf and no YAML: by its name, else by its first line that says something. */
export function isMosquitto(path: string, text: string): boolean {
  const extension = extname(path)
  if (extension === '.conf') return true
  if (['.yaml', '.yml', '.json'].includes(extension)) return false
  const first = text.split('\n').find((line) => line.trim() !== '' && !line.startsWith('#'))
  return first !== undefined && /^ *[a-z_0-9.]+( |$)/.test(first) && !first.includes(':')
}

/** Reads a mosquitto.conf and what it includes.
 *  @throws ConfigurationError with each fault, its file and line */
export function readMosquitto(path: string, text: string): MosquittoDocument {
  return fromMosquitto({ name: path, text }, filesIn, thisHost())
}

/** A document as the text of a configuration file. */
export function yamlOf({ document }: MosquittoDocument): string {
  return stringify(document, { lineWidth: 0 })
}

function filesIn(folder: string): MosquittoFile[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.conf'))
  return names.map((name) => {
    const path = join(folder, name)
    return { name: path, text: readFileSync(path, 'utf8') }
  })
}

function thisHost(): MosquittoHost {
  const interfaces = networkInterfaces()
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? [])
  return {
    hostname: hostname(),
    ipv6: all.some(({ family }) => family === 'IPv6'),
    addressesOf: (device) => (interfaces[device] ?? []).map(({ address }) => address),
  }
}
