import { isIPv4, isIPv6, type Socket } from 'node:net'
import { hostAndPort } from './sockets.ts'

/** Which versions of the PROXY protocol a connection may begin with. */
export type ProxyProtocol = 1 | 2 | true

/** What a PROXY header says. */
export interface ProxyHeader {
  /** Of the client, such as `192.0.2.1:51234`; undefined when the proxy speaks for itself or does not know. */
  readonly source: string | undefined
  /** Bytes of the header: what follows is the client's. */
  readonly length: number
}

/** The longest header of version 1, its CR and LF included. */
const LONGEST_V1 = 107
/** What version 2 begins with. */
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const V1_PREFIX = Buffer.from('PROXY ')
/** Version 2 allows 65535 bytes behind its first 16; no proxy sends more than this. */
const LONGEST_V2_BODY = 4096

/** Reads a PROXY header off the beginning of a connection.
 *  @returns undefined while it is not complete
 *  @throws Error when the bytes begin no header of the versions that are accepted
 *  @see https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt */
export function parseProxyHeader(bytes: Buffer, versions: ProxyProtocol): ProxyHeader | undefined {
  if (versions !== 1 && agree(bytes, SIGNATURE)) return parseV2(bytes)
  if (versions !== 2 && agree(bytes, V1_PREFIX)) return parseV1(bytes)
  throw new Error('the connection does not begin with a PROXY header')
}

/** Says whether one of the two is the beginning of the other. */
function agree(bytes: Buffer, prefix: Buffer): boolean {
  const length = Math.min(bytes.length, prefix.length)
  return bytes.compare(prefix, 0, length, 0, length) === 0
}

function parseV1(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, LONGEST_V1).indexOf('\r\n')
  if (end < 0) {
    if (bytes.length >= LONGEST_V1) throw new Error('PROXY v1: no end of line in 107 bytes')
    return undefined
  }
  const line = bytes.toString('latin1', 0, end)
  const length = end + 2
  // The proxy does not know its client: the rest of the line is to be ignored.
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ')) return { source: undefined, length }
  const [, family, source, destination, sourcePort, destinationPort, more] = line.split(' ')
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined
  if (isAddress === undefined) throw new Error('PROXY v1: the family is neither TCP4, TCP6 nor UNKNOWN')
  if (source === undefined || destination === undefined || !isAddress(source) || !isAddress(destination)) {
    throw new Error(`PROXY v1: no ${family} address`)
  }
  const port = portOf(sourcePort)
  portOf(destinationPort)
  if (more !== undefined) throw new Error('PROXY v1: more than four fields behind the family')
  return { source: hostAndPort(source, port), length }
}

function portOf(text: string | undefined): number {
  const port = Number(text)
  if (text === undefined || !/^(0|[1-9]\d{0,4})$/.test(text) || port > 65535)
    throw new Error('PROXY v1: no port')
  return port
}

/** Bytes of the addresses, by family. */
const ADDRESS_BYTES = [0, 12, 36, 216]

function parseV2(bytes: Buffer): ProxyHeader | undefined {
  if (bytes.length < 16) return undefined
  const [versionAndCommand, familyAndTransport] = [bytes[12]!, bytes[13]!]
  const command = versionAndCommand & 15
  const family = familyAndTransport >> 4
  const size = bytes.readUInt16BE(14)
  if (versionAndCommand >> 4 !== 2) throw new Error('PROXY v2: the version is not 2')
  if (command > 1) throw new Error('PROXY v2: the command is neither LOCAL nor PROXY')
  if (family > 3 || (familyAndTransport & 15) > 2) throw new Error('PROXY v2: no such family or transport')
  if (size > LONGEST_V2_BODY) throw new Error(`PROXY v2: ${size} bytes of addresses`)
  const length = 16 + size
  if (bytes.length < length) return undefined
  // LOCAL: the proxy's own, such as a health check; what stands behind it is to be ignored.
  if (command === 0) return { source: undefined, length }
  if (size < ADDRESS_BYTES[family]!) throw new Error('PROXY v2: shorter than its addresses')
  checkExtras(bytes, 16 + ADDRESS_BYTES[family]!, length)
  return { source: sourceV2(bytes, family), length }
}

function sourceV2(bytes: Buffer, family: number): string | undefined {
  if (family === 1) return hostAndPort(bytes.subarray(16, 20).join('.'), bytes.readUInt16BE(24))
  if (family === 2) return hostAndPort(ipv6(bytes, 16), bytes.readUInt16BE(48))
  return family === 3 ? 'unix:0' : undefined
}

/** What follows the addresses is a row of type, length and value that ends where the header ends. */
function checkExtras(bytes: Buffer, start: number, end: number): void {
  let at = start
  while (at < end) {
    if (at + 3 > end) throw new Error('PROXY v2: half an extra field')
    at += 3 + bytes.readUInt16BE(at + 1)
  }
  if (at > end) throw new Error('PROXY v2: an extra field longer than the header')
}

/** An IPv6 address in its canonical form. */
function ipv6(bytes: Buffer, at: number): string {
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(at + i).toString(16))
  if (groups.slice(0, 5).every((group) => group === '0') && groups[5] === 'ffff') {
    return `::ffff:${bytes.subarray(at + 12, at + 16).join('.')}`
  }
  // URL compresses the longest row of zeros, as RFC 5952 asks.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

/** Takes the PROXY header off a paused socket, leaves it paused with the rest unread, and gives the client's
 *  address. Rejects when it is wrong, does not come in time, or the connection ends. */
export function readProxyHeader(
  socket: Socket,
  versions: ProxyProtocol,
  timeoutMs: number,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0)
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      socket.off('data', onData).off('error', onError).off('close', onClose)
      act()
    }
    const onData = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      try {
        const header = parseProxyHeader(bytes, versions)
        if (header === undefined) return
        socket.pause()
        const rest = bytes.subarray(header.length)
        settle(() => resolve(header.source))
        if (rest.length > 0) socket.unshift(rest)
      } catch (error) {
        settle(() => reject(error))
      }
    }
    const onError = (error: Error): void => settle(() => reject(error))
    const onClose = (): void => settle(() => reject(new Error('closed before its PROXY header')))
    const timer = setTimeout(() => settle(() => reject(new Error('no PROXY header in time'))), timeoutMs)
    socket.on('data', onData).on('error', onError).on('close', onClose)
    socket.resume()
  })
}
