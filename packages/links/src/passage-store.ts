import { createHash } from 'node:crypto'
import type { Message, Store } from '@pipit/client'
import { AWAITING_PUBCOMP, Parser } from '@pipit/protocol'

export type End = 'local' | 'remote'

const OTHER = { local: 'remote', remote: 'local' } as const satisfies Record<End, End>

/** What became of a message that came before, in this process or an earlier one. `new`: nothing is known of it. The
 *  promise says whether the other end has taken it. */
export type Before = 'new' | 'carried' | Promise<boolean>

/** Keeps what the clients of both ends have in flight at QoS 2 in one file, and with it which message of one end each
 *  message to the other one was made of: a message that comes again, because its link was killed before it was
 *  acknowledged, is not carried again.
 *
 *  Keys: those of the clients behind the end's name (`local:m7`); `o:local:5`, the message with Packet Identifier 5
 *  of the local end is on its way as that number of the other end's store; `d:local:5`, it has arrived there, and is
 *  not acknowledged yet. Their values are that number and what the message says. The file may end anywhere in a
 *  write: whatever a change follows from stands before it. */
export class PassageStore {
  private readonly file: Store
  private readonly records = new Map<string, Uint8Array>()
  private opened: Promise<void> | undefined = undefined
  private readonly ends: Record<End, EndStore>

  /** @param file opened once, by the first end that is */
  constructor(file: Store) {
    this.file = file
    this.ends = { local: new EndStore(this, 'local'), remote: new EndStore(this, 'remote') }
  }

  /** The store of one end's client. It may be opened again after it was closed. */
  at(end: End): Store {
    return this.ends[end]
  }

  /** Says whether a message that has come from an end is known, and remembers it until it is acknowledged.
   *  @param says what is carried of it */
  before(end: End, message: Message, says: string): Before {
    return this.ends[OTHER[end]].before(message, says)
  }

  /** A message from an end is about to be published at the other one. */
  begins(end: End, message: Message, says: string): void {
    this.ends[OTHER[end]].begins(message, says)
  }

  /** It is not: nothing has been kept of it. */
  withdraws(end: End, message: Message): void {
    this.ends[OTHER[end]].withdraws(message)
  }

  /** The session of an end is a new one: its Packet Identifiers say nothing about what came before. */
  forgets(end: End): void {
    this.ends[OTHER[end]].forgetOrigins()
  }

  /** Closes the file, when both clients have ended. */
  async close(): Promise<void> {
    if (this.opened !== undefined) await this.file.close()
  }

  // ---- for the ends

  open(): Promise<void> {
    this.opened ??= this.file.open().then((records) => {
      for (const [key, value] of records) this.records.set(key, value)
      this.ends.local.mend()
      this.ends.remote.mend()
    })
    return this.opened
  }

  keys(prefix: string): string[] {
    return [...this.records.keys()].filter((key) => key.startsWith(prefix))
  }

  get(key: string): Uint8Array | undefined {
    return this.records.get(key)
  }

  put(key: string, value: Uint8Array): void {
    this.records.set(key, value)
    this.file.put(key, value)
  }

  delete(key: string): void {
    if (this.records.delete(key)) this.file.delete(key)
  }

  commit(): Promise<void> {
    return this.file.commit()
  }
}

/** A message of the other end that is on its way to this one. */
interface Origin {
  readonly packetId: string
  readonly says: string
  settle: ((hasArrived: boolean) => void) | undefined
}

/** One end's client's store. What is said of origins is about messages that come from the other end to this one. */
class EndStore implements Store {
  private readonly shared: PassageStore
  private readonly end: End
  private readonly source: End
  /** About to be published: which record they get is seen when it is put. */
  private readonly announced: Origin[] = []
  /** On their way, by the number of their record. */
  private readonly origins = new Map<string, Origin>()

  constructor(shared: PassageStore, end: End) {
    this.shared = shared
    this.end = end
    this.source = OTHER[end]
  }

  async open(): Promise<ReadonlyMap<string, Uint8Array>> {
    const { shared, end } = this
    await shared.open()
    const keys = shared.keys(`${end}:`)
    return new Map(keys.map((key) => [key.slice(end.length + 1), shared.get(key) ?? NOTHING]))
  }

  put(key: string, value: Uint8Array): void {
    const number = key.slice(1)
    if (key.startsWith('m')) this.beginsAs(number, value)
    this.shared.put(`${this.end}:${key}`, value)
    // Our own message is acknowledged: nobody asks for it any more.
    if (key.startsWith('r')) {
      for (const kind of ['o', 'd']) this.shared.delete(`${kind}:${this.end}:${number}`)
    }
  }

  delete(key: string): void {
    const number = key.slice(1)
    const full = `${this.end}:${key}`
    const origin = this.origins.get(number)
    if (origin !== undefined && key.startsWith('s') && this.shared.get(full)?.[2] === AWAITING_PUBCOMP) {
      this.arrives(number, origin)
    }
    this.shared.delete(full)
    if (origin === undefined || !key.startsWith('m')) return
    this.origins.delete(number)
    const hasArrived = this.shared.get(this.keyOf('d', origin)) !== undefined
    this.shared.delete(this.keyOf('o', origin))
    origin.settle?.(hasArrived)
  }

  commit(): Promise<void> {
    return this.shared.commit()
  }

  close(): Promise<void> {
    return this.shared.commit()
  }

  before({ packetId, dup }: Message, says: string): Before {
    const id = String(packetId)
    const [done, going] = ['d', 'o'].map((kind) => this.noteOf(`${kind}:${this.source}:${id}`))
    if (dup && done?.says === says) return 'carried'
    const origin = going === undefined ? undefined : this.origins.get(going.number)
    if (dup && origin !== undefined && origin.says === says) {
      return new Promise((resolve) => {
        origin.settle = resolve
      })
    }
    // The identifier is another message's now.
    if (going !== undefined) this.origins.delete(going.number)
    for (const kind of ['o', 'd']) this.shared.delete(`${kind}:${this.source}:${id}`)
    return 'new'
  }

  begins({ packetId }: Message, says: string): void {
    this.announced.push({ packetId: String(packetId), says, settle: undefined })
  }

  withdraws({ packetId }: Message): void {
    const at = this.announced.findIndex((each) => each.packetId === String(packetId))
    if (at >= 0) this.announced.splice(at, 1)
  }

  forgetOrigins(): void {
    this.announced.length = 0
    this.origins.clear()
    for (const kind of ['o', 'd']) {
      for (const key of this.shared.keys(`${kind}:${this.source}:`)) this.shared.delete(key)
    }
  }

  /** What the last process had begun to write down of messages to this end is taken to its end. */
  mend(): void {
    const { shared, source, end } = this
    for (const key of shared.keys(`d:${source}:`)) {
      const { number } = this.noteOf(key) ?? { number: '' }
      for (const kind of ['s', 'm']) shared.delete(`${end}:${kind}${number}`)
      shared.delete(key.replace('d', 'o'))
    }
    for (const key of shared.keys(`o:${source}:`)) {
      const note = this.noteOf(key)
      const packetId = key.slice(`o:${source}:`.length)
      if (note === undefined || shared.get(`${end}:m${note.number}`) === undefined) shared.delete(key)
      else this.origins.set(note.number, { packetId, says: note.says, settle: undefined })
    }
  }

  private beginsAs(number: string, record: Uint8Array): void {
    if (this.announced.length === 0) return
    const says = saidBy(record)
    const at = this.announced.findIndex((each) => each.says === says)
    const [origin] = at < 0 ? [] : this.announced.splice(at, 1)
    if (origin === undefined) return
    this.origins.set(number, origin)
    this.shared.delete(this.keyOf('d', origin))
    this.shared.put(this.keyOf('o', origin), noteOf(number, says))
  }

  private arrives(number: string, origin: Origin): void {
    this.shared.put(this.keyOf('d', origin), noteOf(number, origin.says))
  }

  private keyOf(kind: 'o' | 'd', { packetId }: Origin): string {
    return `${kind}:${this.source}:${packetId}`
  }

  private noteOf(key: string): { readonly number: string; readonly says: string } | undefined {
    const value = this.shared.get(key)
    if (value === undefined) return undefined
    const [number = '', says = ''] = Buffer.from(value).toString('latin1').split(' ')
    return { number, says }
  }
}

const NOTHING = new Uint8Array(0)

function noteOf(number: string, says: string): Uint8Array {
  return Buffer.from(`${number} ${says}`, 'latin1')
}

/** What a client's record of a message says: its time stands before its PUBLISH. */
function saidBy(record: Uint8Array): string {
  const parser = new Parser({ strict: false })
  parser.push(record.subarray(8))
  const packet = parser.next()
  return packet?.type === 'PUBLISH' && packet.qos === 2 ? digestOf(packet.topic, packet.payload) : ''
}

/** By which a message is known again: what it says, and where. */
export function digestOf(topic: string, payload: Uint8Array): string {
  return createHash('sha256').update(topic).update('\0').update(payload).digest('base64').slice(0, 32)
}
