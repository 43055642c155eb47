import { join } from 'node:path'
import type { Broker, ByteStream as BrokerStream, Logger, StreamOwner } from '@pipit/broker'
import { type ByteStream, memoryPair, type Transport } from '@pipit/client'
import { checkLink, Link, type LinkOptions } from '@pipit/links'
import { CommandError } from './faults.ts'

/** Bytes that may wait for a link before the broker is told to wait. */
const HIGH_WATER = 1_048_576

/** Checks what the configuration says of links.
 *  @throws CommandError naming the link and what is wrong */
export function checkedLinks(entries: readonly object[]): LinkOptions[] {
  return entries.map((entry, i) => {
    const { name, addresses, topics } = entry as Partial<LinkOptions>
    if (name === undefined) throw new CommandError(`links[${i}] has no name`)
    const options = { ...entry, name, addresses: addresses ?? [], topics: topics ?? [] }
    try {
      checkLink(options)
    } catch (error) {
      throw new CommandError(error instanceof Error ? error.message : String(error))
    }
    return options
  })
}

/** Starts the links of a broker in this process; settles when each has its session here, so that nothing that is
 *  published from then on passes them by.
 *  @throws CommandError naming a file that cannot be read */
export async function startLinks(
  wanted: readonly LinkOptions[],
  broker: Broker,
  logger: Logger,
  data: string | undefined,
): Promise<Link[]> {
  const log = (level: 'info' | 'warn', message: string): void => logger[level]({}, message)
  const folder = data === undefined ? {} : { folder: join(data, 'links') }
  try {
    const links = wanted.map((options) => {
      const local = transportTo(broker, options.name)
      return new Link(options, { local, log, ...folder })
    })
    await Promise.all(links.map((link) => link.ready))
    return links
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error))
  }
}

/** A way to a broker in this process: bytes, and no socket. */
function transportTo(broker: Broker, name: string): Transport {
  return async () => {
    const [ours, theirs] = memoryPair()
    const stream = new InnerStream(theirs, name)
    stream.attach(broker.accepting(stream))
    return ours
  }
}

/** The broker's end. */
class InnerStream implements BrokerStream {
  readonly remoteAddress: string
  readonly isTrusted = true
  readonly reusesChunks = false
  pendingBytes = 0
  private readonly peer: ByteStream
  private owner: StreamOwner | undefined = undefined

  constructor(end: ByteStream, name: string) {
    this.peer = end
    this.remoteAddress = `link ${name}:0`
  }

  attach(owner: StreamOwner): void {
    this.owner = owner
    this.peer.start({
      data: (chunk) => owner.onChunk(chunk),
      closed: (error) => owner.onClose(error instanceof Error ? error : undefined),
    })
  }

  write(bytes: Uint8Array): boolean {
    const { length } = bytes
    this.pendingBytes += length
    this.peer.write(bytes, () => {
      const wasHigh = this.pendingBytes > HIGH_WATER
      this.pendingBytes -= length
      if (wasHigh && this.pendingBytes <= HIGH_WATER) this.owner?.onDrain()
    })
    return this.pendingBytes <= HIGH_WATER
  }

  pause(): void {
    this.peer.pause()
  }

  resume(): void {
    this.peer.resume()
  }

  end(): void {
    this.peer.end()
  }

  destroy(): void {
    this.peer.destroy()
  }
}
