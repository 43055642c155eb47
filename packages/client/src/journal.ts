import { AWAITING_PUBACK, AWAITING_PUBREC, encode, Parser, type PublishProperties } from '@pipit/protocol'
import { StoreError } from './errors.ts'
import { Publication } from './publication.ts'
import type { Store } from './store/store.ts'

/** What an earlier process left. */
export interface Restored {
  readonly clientId: string | undefined
  /** In flight, in their order. */
  readonly inFlight: readonly { readonly publication: Publication; readonly state: number }[]
  readonly queued: readonly Publication[]
  /** QoS 2 messages that were received and wait for PUBREL. */
  readonly received: readonly number[]
}

/** Writes a session's state to a store. Keys: `m` and a number, a message, as its PUBLISH behind its time;
 *  `s` and the same number, its Packet Identifier and what it waits for; `r` and a Packet Identifier,
 *  a QoS 2 message received; `c`, the Client Identifier.
 *
 *  A change is safe before anything is sent that depends on it. */
export class Journal {
  private readonly store: Store
  private last = 0

  constructor(store: Store) {
    this.store = store
  }

  /** @param now in the platform's clock; times are kept as the wall clock's */
  async open(now: number): Promise<Restored> {
    let records: ReadonlyMap<string, Uint8Array>
    try {
      records = await this.store.open()
    } catch (error) {
      throw error instanceof StoreError
        ? error
        : new StoreError(`the store cannot be opened: ${error}`, error)
    }
    // Messages are begun in the order of their numbers: the queue keeps it.
    const numbers: number[] = []
    const received: number[] = []
    for (const key of records.keys()) {
      if (key.startsWith('m')) numbers.push(Number(key.slice(1)))
      else if (key.startsWith('r')) received.push(Number(key.slice(1)))
    }
    numbers.sort((a, b) => a - b)
    this.last = numbers.at(-1) ?? 0
    const inFlight: { publication: Publication; state: number }[] = []
    const queued: Publication[] = []
    for (const number of numbers) {
      const publication = readMessage(records.get(`m${number}`)!, now)
      publication.number = number
      const phase = records.get(`s${number}`)
      if (phase === undefined) queued.push(publication)
      else {
        publication.wasSent = true
        publication.packetId = (phase[0]! << 8) | phase[1]!
        inFlight.push({ publication, state: phase[2]! })
      }
    }
    const clientId = records.get('c')
    return {
      clientId: clientId === undefined ? undefined : new TextDecoder().decode(clientId),
      inFlight,
      queued,
      received: received.sort((a, b) => a - b),
    }
  }

  keepClientId(clientId: string): void {
    this.store.put('c', new TextEncoder().encode(clientId))
  }

  /** Keeps a message that is to be sent. */
  keep(publication: Publication, now: number): void {
    publication.number = ++this.last
    this.store.put(`m${publication.number}`, writeMessage(publication, now))
  }

  /** Keeps what a message in flight waits for. */
  keepPhase(publication: Publication, state: number): void {
    const { number, packetId } = publication
    this.store.put(`s${number}`, Uint8Array.of(packetId >> 8, packetId & 0xff, state))
  }

  begun(publication: Publication): void {
    this.keepPhase(publication, publication.qos === 1 ? AWAITING_PUBACK : AWAITING_PUBREC)
  }

  /** Puts a message that was in flight back into the queue. */
  requeue(publication: Publication): void {
    this.store.delete(`s${publication.number}`)
  }

  /** A message is settled. */
  remove(publication: Publication): void {
    this.store.delete(`s${publication.number}`)
    this.store.delete(`m${publication.number}`)
  }

  received(packetId: number): void {
    this.store.put(`r${packetId}`, NOTHING)
  }

  released(packetId: number): void {
    this.store.delete(`r${packetId}`)
  }

  /** Resolves when every change made before is safe. @throws StoreError */
  async commit(): Promise<void> {
    try {
      await this.store.commit()
    } catch (error) {
      throw error instanceof StoreError ? error : new StoreError(`the store failed: ${error}`, error)
    }
  }

  async close(): Promise<void> {
    await this.store.close()
  }
}

const NOTHING = new Uint8Array(0)

function writeMessage(publication: Publication, now: number): Uint8Array {
  const waitedMs = publication.queuedAt === 0 ? 0 : now - publication.queuedAt
  const packet = encode(
    {
      type: 'PUBLISH',
      topic: publication.topic,
      payload: publication.payload,
      qos: publication.qos,
      retain: publication.retain,
      dup: false,
      packetId: 1,
      properties: publication.properties,
    },
    5,
  )
  const bytes = new Uint8Array(8 + packet.length)
  new DataView(bytes.buffer).setFloat64(0, Date.now() - waitedMs)
  bytes.set(packet, 8)
  return bytes
}

function readMessage(bytes: Uint8Array, now: number): Publication {
  const parser = new Parser({ strict: false })
  parser.push(bytes.subarray(8))
  const packet = parser.next()
  if (packet?.type !== 'PUBLISH') throw new StoreError('the store holds something that is no message')
  const properties: PublishProperties | undefined =
    Object.keys(packet.properties ?? {}).length === 0 ? undefined : packet.properties
  const publication = new Publication(packet.topic, packet.payload, packet.qos, packet.retain, properties)
  const time = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0)
  // A message from before this process: its time may lie before the clock's zero.
  publication.queuedAt = now - Math.max(0, Date.now() - time) || -1
  return publication
}
