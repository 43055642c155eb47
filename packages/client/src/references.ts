import { MqttError } from '@pipit/protocol'
import type { Servers } from './servers.ts'

/** More than this many in a row are circles. */
const MOST_HOPS = 5

/** Goes where a server points that refuses us with 0x9C (just now) or 0x9D (for good).
 *  @returns false when it names no server, or sends us around in circles
 *  @see MQTT 5.0, 4.11 */
export function followReference(servers: Servers, error: Error): boolean {
  if (!(error instanceof MqttError) || (error.reasonCode !== 0x9c && error.reasonCode !== 0x9d)) return false
  const { properties } = error as { properties?: { serverReference?: string } }
  const first = properties?.serverReference?.trim().split(/\s+/)[0]
  if (first === undefined || first === '' || ++servers.hops > MOST_HOPS) return false
  const url = referenceUrl(first, servers.current())
  if (url === undefined) return false
  servers.goTo(url, error.reasonCode === 0x9d)
  return true
}

/** `host`, `host:port` or a whole URL, in the scheme of the server that said it. */
function referenceUrl(reference: string, base: URL): URL | undefined {
  const text = reference.includes('://') ? reference : `${base.protocol}//${reference}${base.pathname}`
  return URL.canParse(text) ? new URL(text) : undefined
}
