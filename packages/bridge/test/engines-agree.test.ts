import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Engine, type Lease, type Outcome, RedisEngine, SqliteEngine } from '@pipit/bridge'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { redisPrograms } from '../../../tools/torture/redis.ts'
import { newRedis } from './redis-scene.ts'

const NOW = 1_700_000_000_000
const LEASE_MS = 400
const STATES = ['acknowledged', 'failed', 'expired', 'queued'] as const
const any = fc.nat(1_000)

/** What somebody does to a queue; numbers choose among what there is. */
const step = fc.oneof(
  fc.record({
    kind: fc.constant('add' as const),
    orderKey: fc.option(fc.constantFrom('k', 'l'), { nil: undefined }),
    delayMs: fc.constantFrom(0, 0, 200, 500),
    livesMs: fc.option(fc.nat(800), { nil: undefined }),
    key: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
    digest: fc.constantFrom('d', 'e'),
  }),
  fc.record({ kind: fc.constantFrom('cancel' as const, 'acquire' as const), which: any }),
  fc.record({
    kind: fc.constantFrom('claim' as const, 'claim' as const, 'remove' as const, 'release' as const),
    which: any,
  }),
  fc.record({
    kind: fc.constant('finish' as const),
    which: any,
    states: fc.array(fc.constantFrom(...STATES)),
  }),
  fc.record({ kind: fc.constantFrom('pass' as const, 'trim' as const), which: fc.nat(300) }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** One engine, and what somebody who works with it knows. */
class Hand {
  readonly engine: Engine
  now = NOW
  private readonly ids: string[] = []
  private readonly leases: Lease[] = []

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** What comes of a step; the code of its error, if it is one. */
  async does(each: Step): Promise<unknown> {
    try {
      return await this.act(each)
    } catch (error) {
      return (error as { code: string }).code
    }
  }

  /** Of each command what can be told; one that has expired may be forgotten sooner here than there. */
  async seen(): Promise<unknown[]> {
    const found = await Promise.all(this.ids.map((id) => this.engine.commands.find(id, this.now)))
    return found.map((command) => {
      if (command === undefined || command.state === 'expired') return 'expired or forgotten'
      const { id, state, attempts, notBefore, reason } = command
      return { id, state, attempts, notBefore, reason }
    })
  }

  private async act(each: Step): Promise<unknown> {
    const { commands, sessions } = this.engine
    const { now } = this
    if (each.kind === 'add') return this.add(each)
    if (each.kind === 'pass') return (this.now += each.which)
    if (each.kind === 'trim') return void (await commands.trim(now - each.which, now))
    if (each.kind === 'cancel') {
      const state = await commands.cancel(this.ids[each.which % this.ids.length] ?? '', 'o', now)
      return state === 'expired' ? undefined : state
    }
    if (each.kind === 'acquire') {
      const lease = await sessions.acquire('publisher', { owner: 'o', now, leaseMs: LEASE_MS })
      if (lease !== undefined) this.leases.push(lease)
      return lease?.session
    }
    const lease = this.leases[each.which % this.leases.length]
    if (lease === undefined) return
    if (each.kind === 'claim') {
      const { commands: claimed } = await commands.claim(lease, 1_000, now)
      return claimed.map(({ id, attempts }) => `${id} ${attempts}`).sort()
    }
    if (each.kind === 'finish') return this.finish(lease, each.states)
    return each.kind === 'remove' ? sessions.remove(lease, now) : sessions.release(lease)
  }

  private add({ orderKey, delayMs, livesMs, key, digest }: Step & { kind: 'add' }): Promise<unknown> {
    const { now } = this
    const id = `c${this.ids.length}`
    this.ids.push(id)
    const once = key === undefined ? undefined : { owner: 'o', key, digest, expiresAt: now + 300 }
    const base = { topic: 't', payload: Uint8Array.of(1), qos: 1, retain: false, owner: 'o' } as const
    const times = { notBefore: now + delayMs, createdAt: now }
    const expiresAt = livesMs === undefined ? undefined : now + livesMs
    return this.engine.commands.add([{ ...base, ...times, id, orderKey, expiresAt }], once)
  }

  private async finish(lease: Lease, states: readonly Outcome['state'][]): Promise<unknown> {
    const claimed = await this.engine.commands.claimed(lease)
    const outcomes = claimed.slice(0, states.length).map(({ id }, i): Outcome => {
      const state = states[i] ?? 'queued'
      return state === 'queued' ? { id, state, notBefore: this.now + i * 100, reason: 'r' } : { id, state }
    })
    await this.engine.commands.finish(lease, outcomes, this.now)
    return claimed.map(({ id }) => id)
  }
}

describe.skipIf(redisPrograms.length === 0)('the engines', () => {
  test('come to the same, whatever is done', async () => {
    const { url } = await newRedis(['--appendonly', 'no'], redisPrograms[0]?.path ?? '')
    const folder = mkdtempSync(join(tmpdir(), 'pipit-bridge-agree-'))
    let runs = 0
    const property = fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const name = `run-${++runs}`
      const one = new Hand(new SqliteEngine({ path: join(folder, `${name}.db`) }))
      const other = new Hand(new RedisEngine({ url: `${url}?name=${name}`, log: () => {} }))
      try {
        for (const each of steps) {
          expect(await other.does(each), each.kind).toEqual(await one.does(each))
          expect(await other.seen(), each.kind).toEqual(await one.seen())
        }
      } finally {
        await Promise.all([one.engine.close(), other.engine.close()])
      }
    })
    await fc.assert(property, { numRuns: 15 })
    rmSync(folder, { recursive: true, force: true })
  }, 120_000)
})
