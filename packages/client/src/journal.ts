import {
  AWAITING_PUBACK,
  AWAITING_PUBCOMP,
  AWAITING_PUBREC,
  encode,
  type Outbound,
  Parser,
  type PublishProperties,
} from '@pipit/protocol'
import { Publication } from './publication.ts'
import { type Store, StoreError } from './store/store.ts'

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

  /** Opens the store and settles whose it is.
   *  @param now in the platform's clock; times are kept as the wall clock's
   *  @throws StoreError */
  async restore(now: number, clientId: string, isChosen: boolean): Promise<Restored & { clientId: string }> {
    const restored = await this.open(now)
    const known = restored.clientId
    if (isChosen && known !== undefined && known !== clientId) {
      throw new StoreError(`the store belongs to the client ${known}, not ${clientId}`)
    }
    const goingOn = known ?? clientId
    if (known === undefined && goingOn !== '') this.keepClientId(goingOn)
    return { ...restored, clientId: goingOn }
  }

  private async open(now: number): Promise<Restored> {
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

  /** A message is being sent: resolves when that is safe. @throws StoreError */
  begin(publication: Publication): Promise<void> {
    this.keepPhase(publication, publication.qos === 1 ? AWAITING_PUBACK : AWAITING_PUBREC)
    return this.commit()
  }

  /** Keeps a message that waits; it is not sent before it is safe. */
  keepQueued(publication: Publication, now: number, safe: () => void): void {
    publication.safe = false
    this.keep(publication, now)
    this.commit().then(
      () => {
        publication.safe = true
        safe()
      },
      (error: unknown) => publication.fail(error),
    )
  }

  /** A message need not be kept any more. */
  erase(publication: Publication, failed: (error: unknown) => void): void {
    this.remove(publication)
    this.commit().catch(failed)
  }

  /** Runs `then` when every change made before is safe. A store that fails says so, and the exchange goes on. */
  safely(failed: (error: unknown) => void, then: () => unknown): void {
    this.commit().catch(failed).then(then)
  }

  /** What an earlier process left in flight and the server has forgotten: nobody would hear of its loss,
   *  so it is to be sent as new. */
  orphans(outbound: Outbound<Publication>): Publication[] {
    const found: Publication[] = []
    for (const packetId of outbound.unacknowledged()) {
      const publication = outbound.message(packetId)
      if (publication === undefined || publication.isAwaited) continue
      if (outbound.state(packetId) === AWAITING_PUBCOMP) continue
      publication.packetId = 0
      publication.dup = false
      this.requeue(publication)
      found.push(publication)
    }
    return found
  }

  /** Puts a message that was in flight back into the queue. */
  private requeue(publication: Publication): void {
    this.store.delete(`s${publication.number}`)
  }

  /** A message is settled. */
  private remove(publication: Publication): void {
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
