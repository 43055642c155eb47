/** What addresses say about who is behind them. */

/** Says whether a host is this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/i.test(host)
}

/** An address as streams have it, without its port. */
export function withoutPort(remoteAddress: string): string {
  const at = remoteAddress.lastIndexOf(':')
  return at < 0 ? remoteAddress : remoteAddress.slice(0, at)
}

/** Whom an address is counted under: the first half of an IPv6 address, because whoever has one has all of its
 *  network; any other as it is.
 *  @param address without its port, as a stream has it: `192.0.2.1`, `[2001:db8::1]`, `unix` */
export function networkOf(address: string): string {
  if (!address.startsWith('[')) return address
  const [head = '', tail] = address.slice(1, -1).split('::')
  const groups = head === '' ? [] : head.split(':')
  // Of its own link, everyone is behind the same half.
  if (/^fe[89ab]/i.test(head)) return address
  if (tail !== undefined) {
    const behind = tail === '' ? [] : tail.split(':')
    while (groups.length < 8 - behind.length) groups.push('0')
    groups.push(...behind)
  }
  return `[${groups.slice(0, 4).join(':')}::/64]`
}
