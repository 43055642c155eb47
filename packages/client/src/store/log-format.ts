/** The format of a store's log: a header, then records one after the other.
 *
 *  A record is its length (4 bytes), the CRC-32 of its body (4 bytes) and the body: the operation (1 byte),
 *  the key's length (2 bytes), the key, the value. Numbers are big-endian. A record that is cut off or whose
 *  sum is wrong is where the last write was torn: it and what follows never were. */
export const HEADER = new TextEncoder().encode('pipit-store 1\n')

const PUT = 1
const DELETE = 2
const FRAME = 8
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** One change as a record; without a value it is a deletion. */
export function recordOf(key: string, value: Uint8Array | undefined): Uint8Array {
  const name = encoder.encode(key)
  const body = 3 + name.length + (value?.length ?? 0)
  const bytes = new Uint8Array(FRAME + body)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, body)
  bytes[FRAME] = value === undefined ? DELETE : PUT
  view.setUint16(FRAME + 1, name.length)
  bytes.set(name, FRAME + 3)
  if (value !== undefined) bytes.set(value, FRAME + 3 + name.length)
  view.setUint32(4, crc32(bytes.subarray(FRAME)))
  return bytes
}

/** Reads a log. @returns the records that are live, and where the whole ones end */
export function readLog(log: Uint8Array): { records: Map<string, Uint8Array>; end: number } {
  const records = new Map<string, Uint8Array>()
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength)
  let at = HEADER.length
  while (at + FRAME <= log.length) {
    const body = view.getUint32(at)
    const end = at + FRAME + body
    if (body < 3 || end > log.length) break
    const bytes = log.subarray(at + FRAME, end)
    if (crc32(bytes) !== view.getUint32(at + 4)) break
    const nameLength = (bytes[1]! << 8) | bytes[2]!
    const key = decoder.decode(bytes.subarray(3, 3 + nameLength))
    if (bytes[0] === PUT) records.set(key, bytes.slice(3 + nameLength))
    else records.delete(key)
    at = end
  }
  return { records, end: at }
}

const TABLE = new Uint32Array(256)
for (let n = 0; n < 256; n++) {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1
  TABLE[n] = c
}

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]!) & 0xff]!
  return (crc ^ 0xffffffff) >>> 0
}
