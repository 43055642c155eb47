const LF = 0x0a

/** The lines of a stream, as the bytes they are, without the line feed; the last one may lack it.
 *  The stream is read no faster than the lines are taken. */
export async function* lines(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = []
  for await (const chunk of input) {
    let from = 0
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, from)) {
      const piece = chunk.subarray(from, end)
      yield parts.length === 0 ? piece : Buffer.concat([...parts, piece])
      parts = []
      from = end + 1
    }
    if (from < chunk.length) parts.push(chunk.subarray(from))
  }
  if (parts.length > 0) yield Buffer.concat(parts)
}
