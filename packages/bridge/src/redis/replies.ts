/** What stands in a reply of Redis. Strings come as bytes; what is absent is null. */
export type Reply = Buffer | number | null | readonly Reply[]

export function listOf(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? reply : []
}

export function bytesOf(reply: Reply | undefined): Buffer {
  return Buffer.isBuffer(reply) ? reply : Buffer.alloc(0)
}

export function textOf(reply: Reply | undefined): string {
  return bytesOf(reply).toString()
}

/** A number, or text that is one. */
export function numberOf(reply: Reply | undefined): number {
  return typeof reply === 'number' ? reply : Number(textOf(reply))
}

export function optionalOf<T>(reply: Reply | undefined, read: (reply: Reply) => T): T | undefined {
  return reply === null || reply === undefined ? undefined : read(reply)
}

/** A hash: fields and values in turn. */
export function* pairsOf(reply: Reply): Generator<readonly [string, Buffer]> {
  const list = listOf(reply)
  for (let i = 0; i + 1 < list.length; i += 2) yield [textOf(list[i]), bytesOf(list[i + 1])]
}
