import { expect, test } from 'vitest'
import type { Connection } from '../../src/connection.ts'
import { Delivery } from '../../src/routing/delivery.ts'
import { Message } from '../../src/routing/message.ts'
import { Session } from '../../src/sessions/session.ts'
import { StorageError } from '../../src/storage/engine.ts'
import { Journal, type JournalOptions } from '../../src/storage/journal.ts'
import { MemoryEngine } from '../../src/storage/memory-engine.ts'
import { LocalWriter } from '../../src/storage/writer.ts'

/** A writer that answers when the test says so. */
class Disk {
  readonly engine = new MemoryEngine()
  readonly batches: { batch: Uint8Array; number: number }[] = []
  journal: Journal
  readonly troubles: (string | undefined)[] = []
  private written: (() => void) | undefined

  constructor(options: Partial<JournalOptions> = {}) {
    const next = { message: 1, reference: 1, session: 1 }
    this.journal = new Journal({ durability: 'always', intervalMs: 1000, ...options }, next, (error) =>
      this.troubles.push(error?.code),
    )
    this.journal.attach({
      write: (batch, number) => {
        this.batches.push({ batch, number })
        this.written?.()
      },
      close: async () => undefined,
    })
  }

  /** Settles when a batch is handed over. */
  async batch(): Promise<void> {
    if (this.batches.length === 0) await new Promise<void>((resolve) => (this.written = resolve))
  }

  /** All that was handed over is on the disk. */
  commit(): void {
    const all = this.batches.splice(0)
    this.engine.commit(all.map(({ batch }) => batch))
    this.journal.committed(all.at(-1)?.number ?? 0)
  }

  fail(): void {
    this.journal.failed(new StorageError('FULL', 'the disk is full'))
  }
}

function sessionOf(journal: Journal, clientId = 'c'): Session {
  const limits = {
    queuedMessages: 10,
    queuedBytes: 1000,
    inflight: 10,
    queuedMessagesInAll: 100,
    queuedBytesInAll: 10000,
  }
  const host = {
    limits,
    journal,
    overflowPolicy: 'drop-oldest',
    queueTotals: { messages: 0, bytes: 0, inflightBytes: 0 },
    dropped: () => undefined,
    now: () => 0,
  }
  return new Session(clientId, 3600, host as unknown as ConstructorParameters<typeof Session>[2])
}

function deliveryOf(qos: 1 | 2 = 1): Delivery {
  const message = Message.of('a', Buffer.from('x'), qos, false, undefined, undefined, 0)
  return new Delivery(message, qos, false, undefined, undefined)
}

interface Said {
  readonly first: number
  readonly packetId: number
  readonly code: number
}

/** A connection that notes what it is told to say. */
function connectionOf(protocolVersion: 4 | 5, session?: Session): { connection: Connection; said: Said[] } {
  const said: Said[] = []
  const acknowledge = (first: number, packetId: number, code: number): number =>
    said.push({ first, packetId, code })
  return {
    connection: { closed: false, protocolVersion, session, acknowledge } as unknown as Connection,
    said,
  }
}

test('acknowledge() waits for the batch with what was recorded before it, and for no later one', async () => {
  const disk = new Disk()
  const { connection, said } = connectionOf(4)
  const session = sessionOf(disk.journal)
  disk.journal.session(session)
  disk.journal.acknowledge(connection, 0x40, 1, 0, true)
  await disk.batch()
  disk.journal.referred(session, deliveryOf(), 0)
  disk.journal.acknowledge(connection, 0x40, 2, 0, true)
  expect(said).toEqual([])
  disk.commit()
  expect(said.map(({ packetId }) => packetId)).toEqual([1])
  await disk.batch()
  disk.commit()
  expect(said.map(({ packetId }) => packetId)).toEqual([1, 2])
})

test('acknowledge() goes out at once when nothing was recorded, and in order behind what waits', async () => {
  const disk = new Disk()
  const { connection, said } = connectionOf(4)
  disk.journal.acknowledge(connection, 0x40, 1, 0, true)
  expect(said).toHaveLength(1)
  disk.journal.session(sessionOf(disk.journal))
  await disk.batch()
  // Nothing new is recorded, but the batch is still on its way.
  disk.journal.acknowledge(connection, 0x40, 2, 0, true)
  expect(said).toHaveLength(1)
  disk.commit()
  expect(said).toHaveLength(2)
})

test('a closed connection is told nothing', async () => {
  const disk = new Disk()
  const { connection, said } = connectionOf(4)
  disk.journal.session(sessionOf(disk.journal))
  disk.journal.acknowledge(connection, 0x40, 1, 0, true)
  ;(connection as { closed: boolean }).closed = true
  await disk.batch()
  disk.commit()
  expect(said).toEqual([])
})

test('a message that is settled before its batch goes out is not written, and its acknowledgement does not wait for ever', async () => {
  const disk = new Disk()
  const { connection, said } = connectionOf(4)
  const session = sessionOf(disk.journal)
  disk.journal.session(session)
  await disk.batch()
  disk.commit()
  const delivery = deliveryOf()
  disk.journal.referred(session, delivery, 7)
  disk.journal.acknowledge(connection, 0x40, 1, 0, true)
  disk.journal.settled(delivery)
  await new Promise((resolve) => setImmediate(resolve))
  expect(disk.batches).toEqual([])
  expect(said).toHaveLength(1)
})

test('a message is written once for many sessions, and deleted with the last of them', async () => {
  const disk = new Disk()
  const sessions = ['a', 'b', 'c'].map((clientId) => sessionOf(disk.journal, clientId))
  for (const each of sessions) disk.journal.session(each)
  const message = Message.of('a', Buffer.from('x'), 1, false, undefined, undefined, 0)
  const deliveries = sessions.map(() => new Delivery(message, 1, false, undefined, undefined))
  for (const [i, each] of deliveries.entries()) disk.journal.referred(sessions[i]!, each, 0)
  await disk.batch()
  disk.commit()
  expect(disk.engine.load().messages.size).toBe(1)
  expect(disk.engine.load().references).toHaveLength(3)
  for (const [i, each] of deliveries.entries()) {
    disk.journal.settled(each)
    await disk.batch()
    disk.commit()
    expect(disk.engine.load().messages.size).toBe(i < 2 ? 1 : 0)
  }
})

test('a reference is written as it is when its batch goes out, and changed afterwards', async () => {
  const disk = new Disk()
  const session = sessionOf(disk.journal)
  disk.journal.session(session)
  const delivery = deliveryOf(2)
  disk.journal.referred(session, delivery, 0)
  disk.journal.sent(delivery, 12)
  await disk.batch()
  disk.commit()
  expect(disk.engine.load().references).toMatchObject([{ state: 2, packetId: 12 }])
  disk.journal.state(delivery, 3, 12)
  await disk.batch()
  disk.commit()
  expect(disk.engine.load().references).toMatchObject([{ state: 3, packetId: 12 }])
})

test('a failure tells publishers of 5.0 with 0x97 and leaves those of 3.1.1 waiting until the disk is back', async () => {
  const disk = new Disk()
  const five = connectionOf(5)
  const four = connectionOf(4)
  disk.journal.session(sessionOf(disk.journal))
  disk.journal.acknowledge(five.connection, 0x40, 1, 0, true)
  disk.journal.acknowledge(four.connection, 0x40, 2, 0, true)
  await disk.batch()
  disk.fail()
  disk.fail()
  expect(five.said).toEqual([{ first: 0x40, packetId: 1, code: 0x97 }])
  expect(four.said).toEqual([])
  expect(disk.journal.failing?.code).toBe('FULL')
  disk.commit()
  expect(four.said).toEqual([{ first: 0x40, packetId: 2, code: 0 }])
  expect(five.said).toHaveLength(1)
  expect(disk.journal.failing).toBeUndefined()
  expect(disk.troubles).toEqual(['FULL', undefined])
})

test('a QoS 2 message refused by PUBREC 0x97 is forgotten, on the disk too', async () => {
  const disk = new Disk()
  const session = sessionOf(disk.journal)
  const five = connectionOf(5, session)
  disk.journal.session(session)
  const message = Message.of('a', Buffer.from('x'), 2, false, undefined, undefined, 0)
  session.inbound.publishQoS2(4, message)
  disk.journal.received(session, 4, message)
  disk.journal.acknowledge(five.connection, 0x50, 4, 0, true)
  await disk.batch()
  disk.fail()
  expect(five.said).toEqual([{ first: 0x50, packetId: 4, code: 0x97 }])
  expect(session.inbound.has(4)).toBe(false)
  await new Promise((resolve) => setImmediate(resolve))
  disk.commit()
  expect(disk.engine.load()).toMatchObject({ inbound: [] })
  expect(disk.engine.load().messages.size).toBe(0)
})

test('whenCommitted() runs its second function when the batch fails', async () => {
  const disk = new Disk()
  const ran: string[] = []
  disk.journal.session(sessionOf(disk.journal))
  disk.journal.whenCommitted(
    () => ran.push('done'),
    () => ran.push('failed'),
  )
  disk.journal.whenCommitted(() => ran.push('done later'))
  await disk.batch()
  disk.fail()
  disk.commit()
  expect(ran).toEqual(['failed', 'done later'])
})

test('what is taken back when a batch fails is taken back from the latest on, and written in one with it', async () => {
  const disk = new Disk()
  const ran: string[] = []
  const session = sessionOf(disk.journal)
  disk.journal.session(session)
  for (const name of ['first', 'second']) {
    disk.journal.whenCommitted(
      () => ran.push(`${name} done`),
      () => {
        ran.push(`${name} back`)
        disk.journal.unsubscribed(session, name)
      },
    )
  }
  await disk.batch()
  disk.fail()
  expect(ran).toEqual(['second back', 'first back'])
  await new Promise((resolve) => setImmediate(resolve))
  expect(disk.batches).toHaveLength(2)
})

test('a copy of a QoS 2 message that is not safe yet is refused with it, though the first one had nobody left to tell', async () => {
  const disk = new Disk()
  const session = sessionOf(disk.journal)
  const gone = connectionOf(5, session)
  disk.journal.session(session)
  const message = Message.of('a', Buffer.from('x'), 2, false, undefined, undefined, 0)
  session.inbound.publishQoS2(4, message)
  disk.journal.received(session, 4, message)
  disk.journal.acknowledge(gone.connection, 0x50, 4, 0, true)
  ;(gone.connection as { closed: boolean }).closed = true
  await disk.batch()
  disk.fail()
  expect(session.inbound.has(4)).toBe(true)
  expect(disk.journal.isSafe(message)).toBe(false)
  const again = connectionOf(5, session)
  disk.journal.acknowledge(again.connection, 0x50, 4, 0, true)
  disk.fail()
  expect(again.said).toEqual([{ first: 0x50, packetId: 4, code: 0x97 }])
  expect(session.inbound.has(4)).toBe(false)
})

test('isSafe() says whether the batch with a message is on the disk', async () => {
  const disk = new Disk()
  const session = sessionOf(disk.journal)
  disk.journal.session(session)
  const [one, two] = [deliveryOf(), deliveryOf()]
  disk.journal.referred(session, one, 0)
  await disk.batch()
  disk.journal.referred(session, two, 0)
  expect(disk.journal.isSafe(one.message)).toBe(false)
  disk.commit()
  expect([disk.journal.isSafe(one.message), disk.journal.isSafe(two.message)]).toEqual([true, false])
})

test('a batch is handed over before the end of the turn once it is large, in messages or in bytes, but behind what is being handled', async () => {
  const disk = new Disk()
  const session = sessionOf(disk.journal)
  disk.journal.session(session)
  const refer = (size: number): void => {
    const message = Message.of('a', Buffer.alloc(size), 1, false, undefined, undefined, 0)
    disk.journal.referred(session, new Delivery(message, 1, false, undefined, undefined), 0)
  }
  for (let i = 0; i < 4200; i++) refer(1)
  expect(disk.batches).toEqual([])
  await new Promise<void>((resolve) => process.nextTick(resolve))
  expect(disk.batches).toHaveLength(1)
  refer(300_000)
  refer(300_000)
  await new Promise<void>((resolve) => process.nextTick(resolve))
  expect(disk.batches).toHaveLength(2)
  refer(1)
  await new Promise<void>((resolve) => process.nextTick(resolve))
  expect(disk.batches).toHaveLength(2)
  await new Promise((resolve) => setImmediate(resolve))
  expect(disk.batches).toHaveLength(3)
  await new Promise((resolve) => setImmediate(resolve))
  expect(disk.batches).toHaveLength(3)
  disk.commit()
  expect(disk.engine.load().references).toHaveLength(4203)
})

test('a flood of acknowledgements goes out in several turns, in order, and nothing that comes meanwhile gets ahead', async () => {
  const disk = new Disk()
  const { connection, said } = connectionOf(4)
  disk.journal.session(sessionOf(disk.journal))
  for (let id = 1; id <= 20_000; id++) disk.journal.acknowledge(connection, 0x40, id, 0, true)
  await disk.batch()
  disk.commit()
  expect(said.length).toBeGreaterThan(0)
  expect(said.length).toBeLessThan(20_000)
  disk.journal.acknowledge(connection, 0x40, 20_001, 0, true)
  while (said.length < 20_001) await new Promise((resolve) => setImmediate(resolve))
  expect(said.map(({ packetId }) => packetId)).toEqual(Array.from({ length: 20_001 }, (_, i) => i + 1))
  disk.journal.acknowledge(connection, 0x40, 20_002, 0, true)
  expect(said).toHaveLength(20_002)
})

test('a session that ends with a long queue is settled some at a time, and wholly before the end', async () => {
  const disk = new Disk()
  const session = sessionOf(disk.journal)
  disk.journal.session(session)
  const left = Array.from({ length: 10_000 }, () => deliveryOf())
  for (const each of left) disk.journal.referred(session, each, 0)
  await disk.batch()
  disk.commit()
  disk.journal.sessionEnded(session, left, [])
  expect(left.some((each) => each.reference !== 0)).toBe(true)
  await new Promise((resolve) => setImmediate(resolve))
  disk.commit()
  expect(disk.engine.load()).toMatchObject({ sessions: [] })
  expect(disk.engine.load().references.length).toBeGreaterThan(0)
  await disk.journal.close()
  disk.commit()
  expect(disk.engine.load().references).toEqual([])
  expect(disk.engine.load().messages.size).toBe(0)
})

test('with interval, acknowledgements do not wait, but those of a topic set to always do, and not for the interval', async () => {
  const disk = new Disk({ durability: 'interval', intervalMs: 3_600_000 })
  const { connection, said } = connectionOf(4)
  disk.journal.session(sessionOf(disk.journal))
  disk.journal.acknowledge(connection, 0x40, 1, 0, false)
  expect(said).toHaveLength(1)
  expect(disk.batches).toEqual([])
  disk.journal.acknowledge(connection, 0x40, 2, 0, true)
  expect(said).toHaveLength(1)
  await disk.batch()
  disk.commit()
  expect(said).toHaveLength(2)
})

test('LocalWriter writes what was handed over in one turn as one commit, and says so', async () => {
  const engine = new MemoryEngine()
  const committed: number[] = []
  const next = { message: 1, reference: 1, session: 1 }
  const journal = new Journal({ durability: 'always', intervalMs: 0 }, next, () => undefined)
  const writer = new LocalWriter(engine, {
    committed: (number) => committed.push(number),
    failed: () => undefined,
  })
  journal.attach(writer)
  journal.session(sessionOf(journal))
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  expect(committed).toEqual([1])
  expect(engine.load().sessions).toMatchObject([{ clientId: 'c' }])
  await journal.close()
})
