/** Bytes as they are kept: what is known of them as JSON, then the bytes themselves. */
export function frame(header: object, bytes: Uint8Array): Buffer {
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text, bytes])
}

/** @throws RangeError, SyntaxError for bytes that are no frame */
export function unframe<T>(buffer: Buffer): { readonly header: T; readonly bytes: Uint8Array } {
  const end = 4 + buffer.readUInt32BE(0)
  return { header: JSON.parse(buffer.toString('utf8', 4, end)) as T, bytes: buffer.subarray(end) }
}
