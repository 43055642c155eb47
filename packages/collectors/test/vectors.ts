import { execFileSync } from 'node:child_process'

// Envelopes by a path of their own: bytes laid by hand as the format asks, encrypted by the openssl command.

const varint = (value: number): number[] => {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest % 128) + 128)
  }
}
const little = (value: number): number[] => [
  value & 255,
  (value >>> 8) & 255,
  (value >>> 16) & 255,
  (value >>> 24) & 255,
]
const floatBytes = (value: number): number[] => [...new Uint8Array(new Float32Array([value]).buffer)]

export const uint = (field: number, value: number): number[] => [...varint(field * 8), ...varint(value)]
export const fixed = (field: number, value: number): number[] => [...varint(field * 8 + 5), ...little(value)]
export const float = (field: number, value: number): number[] => [
  ...varint(field * 8 + 5),
  ...floatBytes(value),
]
export const bytes = (field: number, value: Iterable<number> | string): number[] => {
  const content = typeof value === 'string' ? [...Buffer.from(value)] : [...value]
  return [...varint(field * 8 + 2), ...varint(content.length), ...content]
}

/** Encrypts with `openssl enc`; key and nonce in hexadecimal. */
export function openssl(keyHex: string, from: number, id: number, plain: readonly number[]): number[] {
  const nonce = Buffer.from([...little(id), 0, 0, 0, 0, ...little(from), 0, 0, 0, 0]).toString('hex')
  const cipher = keyHex.length === 32 ? '-aes-128-ctr' : '-aes-256-ctr'
  return [
    ...execFileSync('openssl', ['enc', cipher, '-K', keyHex, '-iv', nonce], { input: Buffer.from(plain) }),
  ]
}

/** The well-known key in hexadecimal: `1PG7OiApB1nwvP+rz05pAQ==`. */
export const DEFAULT_KEY = 'd4f1bb3a20290759f0bcffabcf4e6901'

export const data = (portnum: number, payload: readonly number[]): number[] => [
  ...uint(1, portnum),
  ...bytes(2, payload),
]

export interface Laid {
  readonly from: number
  readonly id: number
  /** Seconds. */
  readonly rxTime?: number
  readonly gateway?: string
  readonly channel?: string
}

/** A ServiceEnvelope around a packet whose body is plain (`decoded`) or not. */
export function envelope(
  { from, id, rxTime = 0, gateway = '!0000beef', channel = 'LongFast' }: Laid,
  body: { readonly decoded: readonly number[] } | { readonly encrypted: readonly number[] },
  more: readonly number[] = [],
): Uint8Array {
  const inner = 'decoded' in body ? bytes(4, body.decoded) : bytes(5, body.encrypted)
  const packet = [
    ...fixed(1, from),
    ...fixed(2, 0xffffffff),
    ...uint(3, 8),
    ...inner,
    ...fixed(6, id),
    ...fixed(7, rxTime),
    ...float(8, 6.25),
    ...uint(9, 3),
    // int32 −90: ten bytes of varint.
    ...[12 * 8, 0xa6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    ...uint(15, 5),
    ...more,
  ]
  return Uint8Array.from([...bytes(1, packet), ...bytes(2, channel), ...bytes(3, gateway)])
}

export const neighborInfo = (
  nodeId: number,
  neighbours: readonly (readonly [number, number])[],
): number[] => [
  ...uint(1, nodeId),
  ...uint(2, nodeId),
  ...uint(3, 900),
  ...neighbours.flatMap(([id, snr]) => bytes(4, [...uint(1, id), ...float(2, snr)])),
]
