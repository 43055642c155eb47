import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { EventEmitter } from 'node:stream'
import {
  type Change,
  compareCursors,
  type Engine,
  type Lease,
  LeaseLostError,
  type NewCommand,
  type NewMessage,
} from '@pipit/bridge'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

/** How a suite gets engines: two of them from one `share` are two processes on the same queue. */
export interface EngineMaker {
  /** A new, empty queue. @returns a function that opens one more engine on it */
  share(): Promise<() => Promise<Engine>>
}

const NOW = 1_700_000_000_000
const LEASE_MS = 10_000

/** What every engine does. Times are arguments, so that nothing waits for a clock. */
export function engineContract(name: string, maker: EngineMaker): void {
  describe(`${name} as an engine`, () => {
    const opened: Engine[] = []
    let open: () => Promise<Engine>
    let engine: Engine
    beforeEach(async () => {
      const make = await maker.share()
      open = async () => {
        const one = await make()
        opened.push(one)
        return one
      }
      engine = await open()
    })
    afterEach(async () => {
      for (const each of opened.splice(0)) await each.close()
    })
    const acquire = async (kind: 'publisher' | 'listener' | 'dispatcher', owner = 'test'): Promise<Lease> => {
      const lease = await engine.sessions.acquire(kind, { owner, now: NOW, leaseMs: LEASE_MS })
      if (lease === undefined) throw new Error('no session was to be had')
      return lease
    }

    describe('commands', () => {
      test('add() keeps every field, and find() gives it back in another process', async () => {
        const given = command({
          payload: Uint8Array.of(0, 255, 10),
          qos: 2,
          retain: true,
          expiresAt: NOW + 5_000,
          orderKey: 'k',
          properties: {
            contentType: 'a/b',
            userProperties: [
              ['x', 'y'],
              ['x', 'ü'],
            ],
            correlationData: 'AAE=',
          },
        })
        expect(await engine.commands.add([given])).toEqual({ kind: 'added' })
        const other = await open()
        const found = await other.commands.find(given.id, NOW)
        expect(found).toMatchObject({ ...given, payload: expect.anything(), state: 'queued', attempts: 0 })
        expect([...(found?.payload ?? [])]).toEqual([0, 255, 10])
        expect(await other.commands.find('none', NOW)).toBeUndefined()
      })

      test('claim() gives what is due, oldest first, to one holder only', async () => {
        const [a, b] = [await acquire('publisher', 'a'), await acquire('publisher', 'b')]
        const commands = [1, 2, 3, 4].map(() => command())
        for (const each of commands) await engine.commands.add([each])
        const first = await engine.commands.claim(a, 3, NOW)
        expect(first.commands.map(({ id }) => id)).toEqual(commands.slice(0, 3).map(({ id }) => id))
        expect(first.commands[0]).toMatchObject({ state: 'sent', attempts: 1 })
        const second = await engine.commands.claim(b, 10, NOW)
        expect(second.commands.map(({ id }) => id)).toEqual([commands[3]?.id])
        expect((await engine.commands.claimed(a)).map(({ id }) => id)).toEqual(
          commands.slice(0, 3).map(({ id }) => id),
        )
      })

      test('claim() leaves what is not due, and says when it will be', async () => {
        const lease = await acquire('publisher')
        const later = command({ notBefore: NOW + 700 })
        await engine.commands.add([later])
        expect(await engine.commands.claim(lease, 10, NOW)).toEqual({ commands: [], nextAt: NOW + 700 })
        const due = await engine.commands.claim(lease, 10, NOW + 700)
        expect(due.commands.map(({ id }) => id)).toEqual([later.id])
      })

      test('an expired command is never claimed, and says that it has expired', async () => {
        const lease = await acquire('publisher')
        const short = command({ expiresAt: NOW + 100 })
        await engine.commands.add([short])
        expect((await engine.commands.find(short.id, NOW + 99))?.state).toBe('queued')
        expect((await engine.commands.find(short.id, NOW + 100))?.state).toBe('expired')
        expect((await engine.commands.claim(lease, 10, NOW + 100)).commands).toEqual([])
        expect((await engine.commands.find(short.id, NOW + 100))?.state).toBe('expired')
        expect(await engine.commands.cancel(short.id, 'someone', NOW + 100)).toBe('expired')
      })

      test('commands of one key are claimed one after the other', async () => {
        const [a, b] = [await acquire('publisher', 'a'), await acquire('publisher', 'b')]
        const [first, second] = [command({ orderKey: 'k' }), command({ orderKey: 'k' })]
        const other = command({ orderKey: 'another' })
        await engine.commands.add([first, second, other])
        const claimed = await engine.commands.claim(a, 10, NOW)
        expect(claimed.commands.map(({ id }) => id)).toEqual([first.id, other.id])
        expect((await engine.commands.claim(b, 10, NOW)).commands).toEqual([])
        // Tried again later: the second still stands behind it.
        await engine.commands.finish(a, [{ id: first.id, state: 'queued', notBefore: NOW + 500 }], NOW)
        expect((await engine.commands.claim(b, 10, NOW)).commands).toEqual([])
        expect((await engine.commands.claim(b, 10, NOW + 500)).commands).toMatchObject([
          { id: first.id, attempts: 2 },
        ])
        await engine.commands.finish(b, [{ id: first.id, state: 'acknowledged', reasonCode: 0 }], NOW)
        expect((await engine.commands.claim(b, 10, NOW)).commands).toMatchObject([{ id: second.id }])
      })

      test('finish() keeps the reason, and touches nothing that is not held', async () => {
        const [a, b] = [await acquire('publisher', 'a'), await acquire('publisher', 'b')]
        const one = command()
        await engine.commands.add([one])
        await engine.commands.claim(a, 1, NOW)
        await engine.commands.finish(b, [{ id: one.id, state: 'failed', reason: 'not mine' }], NOW)
        expect((await engine.commands.find(one.id, NOW))?.state).toBe('sent')
        const outcome = { id: one.id, state: 'failed', reasonCode: 0x87, reason: 'Not authorized' } as const
        await engine.sessions.write(a, [{ key: 'm1', value: Uint8Array.of(1), commandId: one.id }])
        await engine.commands.finish(a, [outcome], NOW + 5, [{ key: 'm1', value: undefined }])
        expect(await engine.sessions.records(a)).toEqual([])
        expect(await engine.commands.find(one.id, NOW + 5)).toMatchObject({ ...outcome, updatedAt: NOW + 5 })
        expect(await engine.commands.claimed(a)).toEqual([])
      })

      test('cancel() takes a queued one out, for its owner', async () => {
        const lease = await acquire('publisher')
        const [one, two] = [command(), command()]
        await engine.commands.add([one, two])
        expect(await engine.commands.cancel(one.id, 'someone else', NOW)).toBeUndefined()
        expect(await engine.commands.cancel(one.id, 'someone', NOW)).toBe('cancelled')
        expect((await engine.commands.claim(lease, 10, NOW)).commands.map(({ id }) => id)).toEqual([two.id])
        expect(await engine.commands.cancel(two.id, 'someone', NOW)).toBe('sent')
        expect(await engine.commands.cancel('none', 'someone', NOW)).toBeUndefined()
      })

      test('one idempotency key adds once, whoever asks and when', async () => {
        const once = { owner: 'someone', key: 'k', digest: 'd', expiresAt: NOW + 1_000 }
        const [one, two] = [command(), command()]
        expect(await engine.commands.add([one], once)).toEqual({ kind: 'added' })
        const other = await open()
        expect(await other.commands.add([two], once)).toEqual({ kind: 'repeated', ids: [one.id] })
        expect(await other.commands.find(two.id, NOW)).toBeUndefined()
        expect(await other.commands.add([two], { ...once, digest: 'e' })).toEqual({ kind: 'conflict' })
        expect(await other.commands.add([two], { ...once, owner: 'other' })).toEqual({ kind: 'added' })
        const later = command({ createdAt: NOW + 1_000 })
        expect(await other.commands.add([later], { ...once, digest: 'e', expiresAt: NOW + 2_000 })).toEqual({
          kind: 'added',
        })
      })

      test('the same key at the same time adds once', async () => {
        const once = { owner: 'someone', key: 'k', digest: 'd', expiresAt: NOW + 1_000 }
        const engines = [engine, await open(), await open()]
        const commands = engines.flatMap(() => [command(), command()])
        const added = await Promise.all(
          commands.map((each, i) => (engines[i % 3] ?? engine).commands.add([each], once)),
        )
        expect(added.filter(({ kind }) => kind === 'added')).toHaveLength(1)
        expect((await engine.commands.counts()).queued).toBe(1)
      })

      test('many processes claim each command once', async () => {
        const engines = [engine, await open(), await open()]
        const commands = Array.from({ length: 300 }, () => command())
        await Promise.all(commands.map((each, i) => (engines[i % 3] ?? engine).commands.add([each])))
        const claimed = await Promise.all(
          engines.map(async (each, i) => {
            const lease = await each.sessions.acquire('publisher', {
              owner: `w${i}`,
              now: NOW,
              leaseMs: LEASE_MS,
            })
            if (lease === undefined) throw new Error('no session was to be had')
            const ids: string[] = []
            for (;;) {
              const { commands: some } = await each.commands.claim(lease, 7, NOW)
              if (some.length === 0) return ids
              ids.push(...some.map(({ id }) => id))
            }
          }),
        )
        expect(claimed.flat().sort()).toEqual(commands.map(({ id }) => id).sort())
      })

      test('counts() and trim()', async () => {
        const lease = await acquire('publisher')
        const [one, two, three] = [command(), command(), command()]
        await engine.commands.add([one, two, three])
        await engine.commands.claim(lease, 2, NOW)
        await engine.commands.finish(lease, [{ id: one.id, state: 'acknowledged' }], NOW)
        const counts = { queued: 1, sent: 1, acknowledged: 1, failed: 0, expired: 0, cancelled: 0 }
        expect(await engine.commands.counts()).toEqual(counts)
        expect(await engine.commands.trim(NOW, NOW)).toBe(0)
        expect(await engine.commands.trim(NOW + 1, NOW)).toBe(1)
        expect(await engine.commands.counts()).toEqual({ ...counts, acknowledged: 0 })
      })
    })

    describe('sessions', () => {
      test('acquire() gives each session to one; what ran out or was released to the next', async () => {
        const a = await acquire('publisher', 'a')
        const b = await acquire('publisher', 'b')
        expect(a.session).not.toBe(b.session)
        const abandoned = { owner: 'c', now: NOW, leaseMs: LEASE_MS, which: 'abandoned' } as const
        expect(await engine.sessions.acquire('publisher', abandoned)).toBeUndefined()
        await engine.sessions.release(a)
        const again = await engine.sessions.acquire('publisher', abandoned)
        expect(again?.session).toBe(a.session)
        expect(again?.epoch).toBeGreaterThan(a.epoch)
        const late = { ...abandoned, now: NOW + LEASE_MS }
        const found = [
          await engine.sessions.acquire('publisher', late),
          await engine.sessions.acquire('publisher', late),
        ]
        expect(found.map((each) => each?.session).sort()).toEqual([a.session, b.session].sort())
      })

      test('extend() keeps what is held, and tells what is lost', async () => {
        const [a, b] = [await acquire('publisher', 'a'), await acquire('publisher', 'b')]
        expect(await engine.sessions.extend([a], NOW + 5_000, LEASE_MS)).toEqual([a])
        const taken = await engine.sessions.acquire('publisher', {
          owner: 'c',
          now: NOW + LEASE_MS,
          leaseMs: LEASE_MS,
        })
        expect(taken?.session).toBe(b.session)
        expect(await engine.sessions.extend([a, b], NOW + LEASE_MS, LEASE_MS)).toEqual([a])
      })

      test('a single session has one holder', async () => {
        const options = { owner: 'a', now: NOW, leaseMs: LEASE_MS, which: 'single' } as const
        const held = await engine.sessions.acquire('dispatcher', options)
        expect(held).toBeDefined()
        expect(await engine.sessions.acquire('dispatcher', { ...options, owner: 'b' })).toBeUndefined()
        if (held !== undefined) await engine.sessions.release(held)
        expect((await engine.sessions.acquire('dispatcher', options))?.session).toBe(held?.session)
      })

      test('records outlive the holder, each with its command', async () => {
        const lease = await acquire('publisher')
        await engine.sessions.write(lease, [
          { key: 'm1', value: Uint8Array.of(1, 2), commandId: 'x' },
          { key: 's1', value: Uint8Array.of(3) },
          { key: 'r7', value: new Uint8Array(0) },
        ])
        await engine.sessions.write(lease, [
          { key: 's1', value: Uint8Array.of(4) },
          { key: 'r7', value: undefined },
        ])
        await engine.sessions.release(lease)
        const other = await open()
        const again = await other.sessions.acquire('publisher', { owner: 'b', now: NOW, leaseMs: LEASE_MS })
        const records = await other.sessions.records(again ?? lease)
        const seen = records.map(({ key, value, commandId }) => [key, [...value], commandId])
        expect(seen.sort()).toEqual([
          ['m1', [1, 2], 'x'],
          ['s1', [4], undefined],
        ])
      })

      test('who lost the lease writes nothing, and claims nothing', async () => {
        const old = await acquire('publisher', 'a')
        await engine.commands.add([command()])
        await engine.commands.claim(old, 1, NOW)
        const lease = await engine.sessions.acquire('publisher', {
          owner: 'b',
          now: NOW + LEASE_MS,
          leaseMs: LEASE_MS,
        })
        expect(lease?.session).toBe(old.session)
        const [one] = await engine.commands.claimed(lease ?? old)
        const outcome = { id: one?.id ?? '', state: 'acknowledged' } as const
        await expect(engine.commands.finish(old, [outcome], NOW)).rejects.toThrow(LeaseLostError)
        await expect(engine.commands.claim(old, 1, NOW)).rejects.toThrow(LeaseLostError)
        await expect(engine.commands.claimed(old)).rejects.toThrow(LeaseLostError)
        await expect(engine.sessions.write(old, [{ key: 'x', value: undefined }])).rejects.toThrow(
          LeaseLostError,
        )
        await expect(engine.sessions.records(old)).rejects.toThrow(LeaseLostError)
        await expect(engine.messages.append(old, [message()], [])).rejects.toThrow(LeaseLostError)
        await engine.sessions.release(old)
        expect(await engine.commands.claimed(lease ?? old)).toHaveLength(1)
        expect((await engine.messages.read({ limit: 1 })).messages).toEqual([])
      })

      test('remove() queues again what was sent under it', async () => {
        const lease = await acquire('publisher')
        const one = command()
        await engine.commands.add([one])
        await engine.commands.claim(lease, 1, NOW)
        await engine.sessions.write(lease, [{ key: 'm1', value: Uint8Array.of(1) }])
        await engine.sessions.remove(lease, NOW)
        expect((await engine.commands.find(one.id, NOW))?.state).toBe('queued')
        await expect(engine.sessions.records(lease)).rejects.toThrow(LeaseLostError)
        const next = await acquire('publisher')
        expect(await engine.sessions.records(next)).toEqual([])
        await expect(engine.sessions.records(lease)).rejects.toThrow(LeaseLostError)
      })
    })

    describe('messages', () => {
      test('append() keeps order and every field; read() pages through them', async () => {
        const lease = await acquire('listener')
        const given = message({
          topic: 'a/1',
          payload: Uint8Array.of(0, 200),
          qos: 2,
          retain: true,
          properties: { contentType: 'x', userProperties: [['k', 'v']] },
        })
        const rest = [2, 3, 4, 5].map((n) => message({ topic: `a/${n}` }))
        expect(await engine.messages.append(lease, [given, ...rest], [])).toBe(5)
        const first = await engine.messages.read({ limit: 2 })
        expect(first.messages[0]).toMatchObject({ ...given, payload: expect.anything() })
        expect([...(first.messages[0]?.payload ?? [])]).toEqual([0, 200])
        const topics = first.messages.map(({ topic }) => topic)
        let page = first
        while (!page.atEnd) {
          page = await engine.messages.read({ limit: 2, after: page.next })
          topics.push(...page.messages.map(({ topic }) => topic))
        }
        expect(topics).toEqual(['a/1', 'a/2', 'a/3', 'a/4', 'a/5'])
        expect(compareCursors(first.next, page.next)).toBeLessThan(0)
        expect(compareCursors(page.next, await engine.messages.end())).toBe(0)
      })

      test('read() matches as MQTT filters do', async () => {
        const lease = await acquire('listener')
        const topics = ['a/b/c', 'a/b', 'a', '$SYS/a', 'b/c', '/b']
        await engine.messages.append(
          lease,
          topics.map((topic) => message({ topic })),
          [],
        )
        const read = async (filter: string): Promise<string[]> =>
          (await engine.messages.read({ filter, limit: 100 })).messages.map(({ topic }) => topic)
        expect(await read('a/#')).toEqual(['a/b/c', 'a/b', 'a'])
        expect(await read('+/b')).toEqual(['a/b', '/b'])
        expect((await engine.messages.read({ limit: 100 })).messages).toHaveLength(6)
        expect(await read('#')).toEqual(['a/b/c', 'a/b', 'a', 'b/c', '/b'])
        expect(await read('$SYS/#')).toEqual(['$SYS/a'])
        expect(await read('b/c')).toEqual(['b/c'])
        expect(await read('none')).toEqual([])
      })

      test('last() is the newest of a topic', async () => {
        const lease = await acquire('listener')
        const payloads = [1, 2, 3].map((n) => message({ topic: 't', payload: Uint8Array.of(n) }))
        await engine.messages.append(lease, payloads, [])
        expect([...((await engine.messages.last('t'))?.payload ?? [])]).toEqual([3])
        await engine.messages.append(lease, [message({ topic: 't', payload: Uint8Array.of(4) })], [])
        expect([...((await engine.messages.last('t'))?.payload ?? [])]).toEqual([4])
        expect(await engine.messages.last('u')).toBeUndefined()
      })

      test('a unique id is stored once', async () => {
        const lease = await acquire('listener')
        const one = message({ uniqueId: 'x' })
        expect(await engine.messages.append(lease, [one, one, message()], [])).toBe(2)
        expect(await engine.messages.append(lease, [one], [])).toBe(0)
        expect((await engine.messages.read({ limit: 10 })).messages).toHaveLength(2)
      })

      test('session records are kept with the messages they came with', async () => {
        const lease = await acquire('listener')
        await engine.messages.append(lease, [message()], [{ key: 'r5', value: new Uint8Array(0) }])
        expect((await engine.sessions.records(lease)).map(({ key }) => key)).toEqual(['r5'])
      })

      test('trim() takes the oldest, keeps last values, and a reader hears of the gap', async () => {
        const lease = await acquire('listener')
        const start = await engine.messages.end()
        await engine.messages.append(lease, [message({ topic: 'rare' })], [])
        const many = Array.from({ length: 20 }, (_, n) => message({ topic: 't', receivedAt: NOW + n }))
        await engine.messages.append(lease, many, [])
        expect((await engine.messages.read({ after: start, limit: 1 })).gap).toBe(false)
        expect(await engine.messages.trim({ maximumMessages: 5 })).toBeGreaterThan(0)
        expect((await engine.messages.last('rare'))?.topic).toBe('rare')
        const page = await engine.messages.read({ filter: 't', after: start, limit: 100 })
        expect(page.gap).toBe(true)
        expect(page.messages.length).toBeLessThan(20)
        expect(page.messages.at(-1)?.receivedAt).toBe(NOW + 19)
        expect((await engine.messages.read({ after: page.next, limit: 1 })).gap).toBe(false)
      })

      test('read() comes to the end of a log of which nothing is left', async () => {
        const lease = await acquire('listener')
        const start = await engine.messages.end()
        await engine.messages.append(lease, [message(), message({ topic: 'other' })], [])
        const end = await engine.messages.end()
        const page = await engine.messages.read({ filter: 'none', after: start, limit: 10 })
        expect([page.atEnd, compareCursors(page.next, end)]).toEqual([true, 0])
      })

      test('trim() by age', async () => {
        const lease = await acquire('listener')
        const many = Array.from({ length: 10 }, (_, n) => message({ topic: 't', receivedAt: NOW + n }))
        await engine.messages.append(lease, many, [])
        await engine.messages.trim({ before: NOW + 4 })
        const { messages } = await engine.messages.read({ limit: 100 })
        expect(messages.map(({ receivedAt }) => receivedAt)).toEqual([4, 5, 6, 7, 8, 9].map((n) => NOW + n))
      })
    })

    describe('hooks', () => {
      const hook = {
        id: 'h1',
        filter: 'a/#',
        url: 'http://127.0.0.1:1/',
        secret: 's',
        owner: 'someone',
        createdAt: NOW,
      }

      test('a hook begins behind the newest message, and advances', async () => {
        const lease = await acquire('listener')
        await engine.messages.append(lease, [message()], [])
        await engine.hooks.add(hook)
        const cursor = await engine.messages.end()
        const [found] = await engine.hooks.list()
        expect(found).toMatchObject({ ...hook, failures: 0, nextAt: 0 })
        expect(compareCursors(found?.cursor ?? '', cursor)).toBe(0)
        const dispatcher = await acquire('dispatcher')
        const progress = { cursor, failures: 3, nextAt: NOW + 9 }
        const dead = { hookId: 'h1', cursor, topic: 'a/b', reason: '500', at: NOW }
        await engine.hooks.advance(dispatcher, 'h1', progress, dead)
        expect(await engine.hooks.list()).toMatchObject([progress])
        expect(await engine.hooks.deadLetters('h1', 10)).toEqual([dead])
      })

      test('remove() is for its owner', async () => {
        await engine.hooks.add(hook)
        expect(await engine.hooks.remove('h1', 'other')).toBe(false)
        expect(await engine.hooks.remove('h1', 'someone')).toBe(true)
        expect(await engine.hooks.remove('h1', 'someone')).toBe(false)
        expect(await engine.hooks.list()).toEqual([])
        const dispatcher = await acquire('dispatcher')
        await engine.hooks.advance(dispatcher, 'h1', { cursor: '0', failures: 0, nextAt: 0 })
        expect(await engine.hooks.list()).toEqual([])
      })
    })

    test('workers report, and are believed for a time', async () => {
      const report = { name: 'elsewhere/1/a', acknowledged: 1, stored: 2, dropped: 3, until: NOW + 10 }
      await engine.workers.report({ ...report, isConnected: false }, NOW)
      await engine.workers.report({ ...report, isConnected: true }, NOW)
      await engine.workers.report(
        { ...report, name: 'elsewhere/2/b', isConnected: false, until: NOW + 5 },
        NOW,
      )
      const other = await open()
      expect(await other.workers.list(NOW)).toEqual([
        { ...report, isConnected: true },
        { ...report, name: 'elsewhere/2/b', isConnected: false, until: NOW + 5 },
      ])
      expect((await other.workers.list(NOW + 5)).map(({ name }) => name)).toEqual(['elsewhere/1/a'])
      await engine.workers.report({ ...report, isConnected: true, until: NOW }, NOW)
      expect((await other.workers.list(NOW)).map(({ name }) => name)).toEqual(['elsewhere/2/b'])
    })

    test('other processes hear of what is added', async () => {
      const other = await open()
      const lease = await acquire('listener')
      const heard = new EventEmitter()
      other.onChange((change: Change) => heard.emit(change))
      // Those that have just begun may not know each other yet: said again until it is heard.
      for (const [change, act] of [
        ['commands', () => engine.commands.add([command()])],
        ['messages', () => engine.messages.append(lease, [message()], [])],
      ] as const) {
        const told = once(heard, change)
        let isTold = false
        void told.then(() => (isTold = true))
        while (!isTold) {
          await act()
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
    })

    test('check() settles', async () => {
      await engine.check()
    })
  })

  function command(fields: Partial<NewCommand> = {}): NewCommand {
    const base = { id: randomUUID(), topic: 'a/b', payload: Uint8Array.of(1), qos: 1, retain: false } as const
    return { ...base, notBefore: NOW, owner: 'someone', createdAt: NOW, ...fields }
  }

  function message(fields: Partial<NewMessage> = {}): NewMessage {
    return { topic: 'a/b', payload: Uint8Array.of(1), qos: 1, retain: false, receivedAt: NOW, ...fields }
  }
}
