import { type LookupAddress, lookup as resolve } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** Addresses that are not of the public internet: this host, private networks, links, groups, documentation.
 *  @see https://www.iana.org/assignments/iana-ipv4-special-registry */
const IPV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const
/** The same for IPv6, with tunnels that could end anywhere (Teredo, 6to4).
 *  @see https://www.iana.org/assignments/iana-ipv6-special-registry */
const IPV6 = [
  ['::', 127],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const
/** Behind these stands an address of IPv4: compatible, mapped, and translated ones (NAT64). */
const HOLDING_IPV4 = ['::', '::ffff:', '::ffff:0:', '64:ff9b::'] as const

const inside = insideList()

/** Says whether an IP address is one inside: of this machine, of a private network, or of nobody. */
export function isInside(address: string): boolean {
  // The interface behind % says nothing about the address.
  const [bare = ''] = address.split('%')
  const family = isIP(bare)
  return family === 0 || inside.check(bare, family === 6 ? 'ipv6' : 'ipv4')
}

/** Says whether a host as it stands in a URL is inside for certain; a name may be so by what it stands for. */
export function isInsideHost(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  return isIP(bare) === 0 ? /(^|\.)localhost$/i.test(bare) : isInside(bare)
}

/** Resolves names as a connection asks for it, and gives it no address inside: so what was checked is what is
 *  connected to, whatever the name stands for a moment later. */
export const lookupOutside: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses: LookupAddress[] | undefined) => {
    const outside = (addresses ?? []).filter(({ address }) => !isInside(address))
    const [first] = outside
    if (error !== null) callback(error, '')
    else if (first === undefined) callback(insideError(hostname), '')
    else if (options.all) callback(null, outside)
    else callback(null, first.address, first.family)
  })
}

export function insideError(host: string): Error {
  return new Error(`${host} is inside, where webhooks may not reach (--hooks-inside lets them)`)
}

function insideList(): BlockList {
  const list = new BlockList()
  for (const [network, prefix] of IPV4) {
    list.addSubnet(network, prefix, 'ipv4')
    for (const before of HOLDING_IPV4) list.addSubnet(`${before}${network}`, 96 + prefix, 'ipv6')
  }
  for (const [network, prefix] of IPV6) list.addSubnet(network, prefix, 'ipv6')
  return list
}
