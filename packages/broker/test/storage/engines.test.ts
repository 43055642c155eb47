import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { StorageEngine } from '../../src/storage/engine.ts'
import { MemoryEngine } from '../../src/storage/memory-engine.ts'
import type { RecordSink } from '../../src/storage/records.ts'
import { SqliteEngine } from '../../src/storage/sqlite-engine.ts'
import { batchOf, comparable, FOREVER, message, reference, session, temporaryFolder } from './kit.ts'

interface Kind {
  readonly name: string
  open(): StorageEngine
  /** The same store, opened anew. */
  reopen(engine: StorageEngine): StorageEngine
}

function kinds(): Kind[] {
  let folder = ''
  const sqlite = (): StorageEngine => new SqliteEngine(folder, { sync: false })
  return [
    { name: 'memory', open: () => new MemoryEngine(), reopen: (engine) => engine },
    {
      name: 'sqlite',
      open: () => {
        folder = temporaryFolder()
        return sqlite()
      },
      reopen: (engine) => {
        engine.close()
        return sqlite()
      },
    },
  ]
}

/** Each record, what it leaves behind, and what takes it away again. */
const RECORDS: readonly [
  name: string,
  put: (sink: RecordSink) => void,
  remove: (sink: RecordSink) => void,
  list: string,
][] = [
  ['a message', (s) => s.putMessage(message(1)), (s) => s.deleteMessage(1), 'messages'],
  [
    'a message that expires',
    (s) => s.putMessage({ ...message(1), expiresAt: 1.5e12 }),
    (s) => s.deleteMessage(1),
    'messages',
  ],
  [
    'a message of 5.0 at QoS 2 with RETAIN',
    (s) => s.putMessage({ ...message(1, 'x', 'a', 2), version: 5, retain: true }),
    (s) => s.deleteMessage(1),
    'messages',
  ],
  [
    'a message of 2 MB',
    (s) => s.putMessage(message(1, 'y'.repeat(2_000_000))),
    (s) => s.deleteMessage(1),
    'messages',
  ],
  [
    'a queued reference',
    (s) => s.putReference(reference(1, 9, 9)),
    (s) => s.deleteReference(1),
    'references',
  ],
  [
    'a reference in flight, with identifiers',
    (s) =>
      s.putReference(
        reference(1, 9, 9, {
          qos: 2,
          retain: true,
          shared: true,
          state: 2,
          packetId: 65535,
          identifiers: [1, 268435455],
        }),
      ),
    (s) => s.deleteReference(1),
    'references',
  ],
  [
    'a session',
    (s) => s.putSession(session(1, { username: 'Zoë', clientId: 'ø'.repeat(300) })),
    (s) => s.deleteSession(1),
    'sessions',
  ],
  [
    'a session that is away',
    (s) => s.putSession(session(1, { expiryInterval: 0xffffffff, expiresAt: 1.7e12 })),
    (s) => s.deleteSession(1),
    'sessions',
  ],
  [
    'a subscription',
    (s) => s.putSubscription({ session: 9, topicFilter: '$share/g/+/ü/#', options: 0x2e, identifier: 7 }),
    (s) => s.deleteSubscription(9, '$share/g/+/ü/#'),
    'subscriptions',
  ],
  [
    'a QoS 2 message received',
    (s) => s.putInbound({ session: 9, packetId: 65535, message: 9 }),
    (s) => s.deleteInbound(9, 65535),
    'inbound',
  ],
  [
    'one that is not to be published',
    (s) => s.putInbound({ session: 9, packetId: 1, message: 0 }),
    (s) => s.deleteInbound(9, 1),
    'inbound',
  ],
  [
    'a retained message',
    (s) => s.putRetained({ topic: 'a/ß', message: 9 }),
    (s) => s.deleteRetained('a/ß'),
    'retained',
  ],
  [
    'a retained message, and who published it',
    (s) => s.putRetained({ topic: 'a/ß', message: 9, clientId: 'ä', username: '' }),
    (s) => s.deleteRetained('a/ß'),
    'retained',
  ],
  [
    'a retained message of a client without a user name',
    (s) => s.putRetained({ topic: 'a/ß', message: 9, clientId: 'c' }),
    (s) => s.deleteRetained('a/ß'),
    'retained',
  ],
  [
    'a will',
    (s) => s.putWill({ session: 9, at: 1.7e12, delay: 60, message: 9 }),
    (s) => s.deleteWill(9),
    'wills',
  ],
]

/** What the records above point to. */
const ground = batchOf((s) => {
  s.putSession(session(9))
  s.putMessage(message(9))
})

describe.each(kinds())('$name engine', (kind) => {
  test.each(RECORDS)('keeps %s over a reopening, and forgets it', (_, put, remove, list) => {
    const model = new MemoryEngine()
    let engine = kind.open()
    const check = (): void => {
      engine = kind.reopen(engine)
      expect(comparable(engine.load())).toEqual(comparable(model.load()))
    }
    const apply = (...batches: Uint8Array[]): void => {
      engine.commit(batches)
      model.commit(batches)
    }
    apply(ground)
    const before = Object.values(comparable(engine.load())).flat().length
    apply(batchOf(put))
    check()
    expect(Object.values(comparable(engine.load())).flat()).toHaveLength(before + 1)
    apply(batchOf(put))
    check()
    apply(batchOf(remove))
    check()
    expect((comparable(engine.load()) as Record<string, unknown[]>)[list]?.length).toBe(
      list === 'messages' || list === 'sessions' ? 1 : 0,
    )
    apply(batchOf(put, remove))
    apply(batchOf(put), batchOf(remove))
    check()
    expect(Object.values(comparable(engine.load())).flat()).toHaveLength(before)
    engine.close()
  })

  test('ending a session takes its subscriptions, inbound messages and will along', () => {
    let engine = kind.open()
    engine.commit([
      ground,
      batchOf((s) => {
        s.putSubscription({ session: 9, topicFilter: 'a', options: 1, identifier: 0 })
        s.putInbound({ session: 9, packetId: 1, message: 9 })
        s.putWill({ session: 9, at: 1, delay: 30, message: 9 })
        s.deleteSession(9)
        // A number is used again after a restart: the new one begins with nothing.
        s.putSession(session(9, { clientId: 'another' }))
      }),
    ])
    engine = kind.reopen(engine)
    expect(comparable(engine.load())).toMatchObject({
      sessions: [{ clientId: 'another' }],
      subscriptions: [],
      inbound: [],
      wills: [],
    })
    engine.close()
  })

  test('a reference changes in the batch that made it, in a later one, and not after it is gone', () => {
    let engine = kind.open()
    engine.commit([
      ground,
      batchOf(
        (s) => s.putReference(reference(5, 9, 9, { qos: 2 })),
        (s) => s.updateReference(5, 2, 77),
      ),
    ])
    engine = kind.reopen(engine)
    expect(engine.load().references).toMatchObject([{ state: 2, packetId: 77 }])
    engine.commit([batchOf((s) => s.updateReference(5, 3, 77))])
    engine = kind.reopen(engine)
    expect(engine.load().references).toMatchObject([{ state: 3, packetId: 77 }])
    engine.commit([
      batchOf(
        (s) => s.deleteReference(5),
        (s) => s.updateReference(5, 1, 1),
      ),
    ])
    engine = kind.reopen(engine)
    expect(engine.load().references).toEqual([])
    engine.close()
  })

  test('references come in the order of their identifiers', () => {
    let engine = kind.open()
    engine.commit([
      ground,
      batchOf(...[3, 1, 4, 2].map((id) => (s: RecordSink) => s.putReference(reference(id, 9, 9)))),
    ])
    engine = kind.reopen(engine)
    expect(engine.load().references.map(({ id }) => id)).toEqual([1, 2, 3, 4])
    engine.close()
  })

  test('a batch with a record of unknown kind is not applied in part', () => {
    const engine = kind.open()
    engine.commit([ground])
    if (kind.name === 'memory') return engine.close() // it has no transactions: it is the measure of contents only
    expect(() =>
      engine.commit([batchOf((s) => s.putRetained({ topic: 'x', message: 9 })), Uint8Array.of(99)]),
    ).toThrow(/unknown kind 99/)
    expect(engine.load().retained).toEqual([])
    engine.commit([batchOf((s) => s.putRetained({ topic: 'y', message: 9 }))])
    expect(engine.load().retained).toMatchObject([{ topic: 'y' }])
    engine.close()
  })

  test('a batch that is taken back takes the table of sources with it', () => {
    const engine = kind.open()
    engine.commit([ground])
    if (kind.name === 'memory') return engine.close()
    const sourced = batchOf((s) => s.putRetained({ topic: 'x', message: 9, clientId: 'c' }))
    expect(() => engine.commit([sourced, Uint8Array.of(99)])).toThrow(/unknown kind 99/)
    engine.commit([batchOf((s) => s.putRetained({ topic: 'y', message: 9 }))])
    expect(engine.load().retained).toEqual([{ topic: 'y', message: 9 }])
    engine.commit([sourced])
    expect(engine.load().retained).toContainEqual({ topic: 'x', message: 9, clientId: 'c' })
    engine.close()
  })
})

const small = fc.integer({ min: 1, max: 6 })
const action: fc.Arbitrary<(sink: RecordSink) => void> = fc.oneof(
  fc.tuple(small, fc.string({ maxLength: 20 })).map(
    ([id, text]) =>
      (s: RecordSink) =>
        s.putMessage(message(id, text)),
  ),
  small.map((id) => (s: RecordSink) => s.deleteMessage(id)),
  fc
    .tuple(
      small,
      small,
      small,
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 65535 }),
      fc.array(small, { maxLength: 2 }),
    )
    .map(
      ([id, to, of, state, packetId, identifiers]) =>
        (s: RecordSink) =>
          s.putReference(reference(id, to, of, { state, packetId, identifiers })),
    ),
  fc.tuple(small, fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 65535 })).map(
    ([id, state, packetId]) =>
      (s: RecordSink) =>
        s.updateReference(id, state, packetId),
  ),
  small.map((id) => (s: RecordSink) => s.deleteReference(id)),
  fc.tuple(small, fc.option(fc.string(), { nil: undefined })).map(
    ([id, username]) =>
      (s: RecordSink) =>
        s.putSession(session(id, { username })),
  ),
  small.map((id) => (s: RecordSink) => s.deleteSession(id)),
  fc.tuple(small, small).map(
    ([id, n]) =>
      (s: RecordSink) =>
        s.putSubscription({ session: id, topicFilter: `f/${n}`, options: n, identifier: n }),
  ),
  fc.tuple(small, small).map(
    ([id, n]) =>
      (s: RecordSink) =>
        s.deleteSubscription(id, `f/${n}`),
  ),
  fc.tuple(small, small, small).map(
    ([id, packetId, of]) =>
      (s: RecordSink) =>
        s.putInbound({ session: id, packetId, message: of }),
  ),
  fc.tuple(small, small).map(
    ([id, packetId]) =>
      (s: RecordSink) =>
        s.deleteInbound(id, packetId),
  ),
  fc.tuple(small, small).map(
    ([n, of]) =>
      (s: RecordSink) =>
        s.putRetained({ topic: `t/${n}`, message: of }),
  ),
  fc.tuple(small, small).map(
    ([n, of]) =>
      (s: RecordSink) =>
        s.putRetained({
          topic: `t/${n}`,
          message: of,
          clientId: `c${n}`,
          ...(of > 3 && { username: `u${of}` }),
        }),
  ),
  small.map((n) => (s: RecordSink) => s.deleteRetained(`t/${n}`)),
  fc.tuple(small, small).map(
    ([id, of]) =>
      (s: RecordSink) =>
        s.putWill({ session: id, at: of, delay: 30, message: of }),
  ),
  small.map((id) => (s: RecordSink) => s.deleteWill(id)),
)

test('the sqlite engine holds what the memory engine holds, whatever is done and however it is cut into commits', () => {
  const commits = fc.array(fc.array(fc.array(action, { maxLength: 8 }), { maxLength: 3 }), { maxLength: 6 })
  fc.assert(
    fc.property(commits, (plan) => {
      const folder = temporaryFolder()
      const model = new MemoryEngine()
      let engine = new SqliteEngine(folder, { sync: false })
      for (const batches of plan) {
        const bytes = batches.map((actions) =>
          batchOf((sink) => {
            for (const act of actions) act(sink)
          }),
        )
        model.commit(bytes)
        engine.commit(bytes)
        engine.close()
        engine = new SqliteEngine(folder, { sync: false })
        expect(comparable(engine.load())).toEqual(comparable(model.load()))
        expect(engine.check()).toEqual([])
      }
      engine.close()
    }),
    { numRuns: 40 },
  )
})

describe('sqlite engine', () => {
  test('a commit that failed and is tried again leaves nothing of what was deleted meanwhile', () => {
    const folder = temporaryFolder()
    const first = new SqliteEngine(folder, { sync: false })
    const put = batchOf(
      (s) => s.putSession(session(1)),
      (s) => s.putMessage(message(1)),
      (s) => s.putReference(reference(1, 1, 1)),
    )
    // The commit reached the disk, though the engine was told that it failed: the next engine does not know.
    first.commit([put])
    first.close()
    const second = new SqliteEngine(folder, { sync: false })
    second.commit([
      put,
      batchOf(
        (s) => s.deleteReference(1),
        (s) => s.deleteMessage(1),
      ),
    ])
    expect(second.load()).toMatchObject({ references: [], damage: [] })
    expect(second.load().messages.size).toBe(0)
    second.close()
  })

  test('the file follows what is stored: it shrinks after a flood', () => {
    const folder = temporaryFolder()
    const engine = new SqliteEngine(folder, { sync: false })
    const text = 'z'.repeat(2000)
    for (let from = 1; from <= 10_000; from += 1000) {
      engine.commit([
        batchOf((s) => {
          for (let id = from; id < from + 1000; id++) s.putMessage(message(id, text))
        }),
      ])
      while (engine.maintain());
    }
    const size = (): number => statSync(join(folder, 'broker.db')).size
    const full = size()
    expect(full).toBeGreaterThan(20_000_000)
    engine.commit([
      batchOf((s) => {
        for (let id = 1; id <= 9_900; id++) s.deleteMessage(id)
      }),
    ])
    // What is taken out of the file goes through the log, which later commits move.
    for (let i = 0; i < 200; i++) {
      engine.commit([batchOf((s) => s.putRetained({ topic: `t/${i % 2}`, message: 9_999 }))])
      while (engine.maintain());
    }
    engine.close()
    expect(size()).toBeLessThan(full / 4)
    const log = readdirSync(folder).find((name) => name.endsWith('-wal'))
    expect(log).toBeUndefined()
  })

  test('the write-ahead log does not grow with the number of commits', () => {
    const folder = temporaryFolder()
    const engine = new SqliteEngine(folder, { sync: false })
    let largest = 0
    for (let i = 0; i < 3000; i++) {
      engine.commit([batchOf((s) => s.putSession(session(1, { expiresAt: i })))])
      engine.maintain()
      largest = Math.max(largest, statSync(join(folder, 'broker.db-wal')).size)
    }
    engine.close()
    expect(largest).toBeLessThan(20_000_000)
  })

  test('expiry of messages and sessions comes back to the millisecond, and Infinity as Infinity', () => {
    const folder = temporaryFolder()
    const engine = new SqliteEngine(folder, { sync: false })
    engine.commit([
      batchOf(
        (s) => s.putMessage({ ...message(1), expiresAt: 1795180000123 }),
        (s) => s.putSession(session(1, { expiresAt: FOREVER })),
      ),
    ])
    expect(engine.load().messages.get(1)?.expiresAt).toBe(1795180000123)
    expect(engine.load().sessions[0]?.expiresAt).toBe(FOREVER)
    engine.close()
  })
})
