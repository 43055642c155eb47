import type { Message, Store } from '@pipit/client'
import { AWAITING_PUBCOMP, AWAITING_PUBREC, encode } from '@pipit/protocol'
import { describe, expect, test } from 'vitest'
import { digestOf, PassageStore } from './passage-store.ts'

type Change = readonly [key: string, value: Uint8Array | undefined]

/** A file that remembers each change, so that a process can be said to have ended behind any of them. */
class Tape implements Store {
  readonly changes: Change[]
  constructor(changes: readonly Change[] = []) {
    this.changes = [...changes]
  }
  async open(): Promise<ReadonlyMap<string, Uint8Array>> {
    const records = new Map<string, Uint8Array>()
    for (const [key, value] of this.changes) {
      if (value === undefined) records.delete(key)
      else records.set(key, value)
    }
    return records
  }
  put(key: string, value: Uint8Array): void {
    this.changes.push([key, value])
  }
  delete(key: string): void {
    this.changes.push([key, undefined])
  }
  async commit(): Promise<void> {}
  async close(): Promise<void> {}
}

const PAYLOAD = Buffer.from('21')
const SAYS = digestOf('out', PAYLOAD)

function message(packetId: number, dup = false): Message {
  return { packetId, dup } as Message
}

/** As the client's journal writes it: a time, then the PUBLISH. */
function record(): Uint8Array {
  const said = { topic: 'out', payload: PAYLOAD, qos: 2, retain: false, dup: false, packetId: 1 } as const
  return Buffer.concat([new Uint8Array(8), encode({ type: 'PUBLISH', ...said }, 5)])
}

const phase = (state: number): Uint8Array => Uint8Array.of(0, 1, state)

/** A message with Packet Identifier 5 of the local end goes to the remote one, step by step. */
const STEPS: readonly ((store: PassageStore) => void)[] = [
  (store) => store.begins('local', message(5), SAYS),
  (store) => store.at('remote').put('m1', record()),
  (store) => store.at('remote').put('s1', phase(AWAITING_PUBREC)),
  (store) => store.at('remote').put('s1', phase(AWAITING_PUBCOMP)),
  (store) => store.at('remote').delete('s1'),
  (store) => store.at('remote').delete('m1'),
  (store) => store.at('local').put('r5', new Uint8Array(0)),
  (store) => store.at('local').delete('r5'),
]

async function opened(changes: readonly Change[] = []): Promise<{
  store: PassageStore
  tape: Tape
  local: ReadonlyMap<string, Uint8Array>
  remote: ReadonlyMap<string, Uint8Array>
}> {
  const tape = new Tape(changes)
  const store = new PassageStore(tape)
  const [local, remote] = [await store.at('local').open(), await store.at('remote').open()]
  return { store, tape, local, remote }
}

describe('PassageStore', () => {
  test('wherever the process ends, the message is sent or known, and never both sent and unknown', async () => {
    const { store, tape } = await opened()
    // What the remote end has: whether its PUBREC has been seen is what counts.
    const taken: boolean[] = []
    for (const [i, step] of STEPS.entries()) {
      step(store)
      while (taken.length < tape.changes.length) taken.push(i >= 3)
    }
    for (let count = 0; count <= tape.changes.length; count++) {
      const again = await opened(tape.changes.slice(0, count))
      const isSent = again.remote.has('m1')
      const isAcknowledged = again.local.has('r5')
      const isOver = count === tape.changes.length
      const before = again.store.before('local', message(5, true), SAYS)
      const isKnown = before !== 'new'
      // Sent by the restored client: then the copy must be recognised. Not sent: then the copy has to be carried,
      // unless the other end has it.
      if (isSent) expect([count, before]).toEqual([count, expect.any(Promise)])
      else if (count > 0 && taken[count - 1] === true) expect(isKnown || isAcknowledged || isOver).toBe(true)
      else expect(before).toBe('new')
    }
  })

  test('a copy waits for what an earlier process has sent: carried, or to be carried anew', async () => {
    for (const [state, expected] of [
      [AWAITING_PUBCOMP, true],
      [AWAITING_PUBREC, false],
    ] as const) {
      const first = await opened()
      for (const step of STEPS.slice(0, 3)) step(first.store)
      const { store } = await opened(first.tape.changes)
      const before = store.before('local', message(5, true), SAYS)
      store.at('remote').put('s1', phase(state))
      store.at('remote').delete('s1')
      store.at('remote').delete('m1')
      expect(await before).toBe(expected)
    }
  })

  test('another message with the identifier, or one that is no copy, is new', async () => {
    for (const [dup, says] of [
      [true, 'other'],
      [false, SAYS],
    ] as const) {
      for (const count of [3, 6]) {
        const first = await opened()
        for (const step of STEPS.slice(0, count)) step(first.store)
        const { store } = await opened(first.tape.changes)
        expect(store.before('local', message(5, dup), says)).toBe('new')
        expect(store.before('local', message(5, true), SAYS)).toBe('new')
      }
    }
  })

  test('a new session of the sender forgets', async () => {
    const first = await opened()
    for (const step of STEPS.slice(0, 3)) step(first.store)
    const { store, tape } = await opened(first.tape.changes)
    store.forgets('remote')
    expect(store.before('local', message(5, true), SAYS)).toBeInstanceOf(Promise)
    store.forgets('local')
    expect(store.before('local', message(5, true), SAYS)).toBe('new')
    expect([...(await tape.open()).keys()]).toEqual(['remote:m1', 'remote:s1'])
  })

  test('both ways at once, and nothing is left when all is done', async () => {
    const { store, tape } = await opened()
    for (const step of STEPS) {
      step(store)
      step({
        ...store,
        at: (end: 'local' | 'remote') => store.at(end === 'local' ? 'remote' : 'local'),
        begins: (_: string, each: Message, says: string) => store.begins('remote', each, says),
      } as unknown as PassageStore)
    }
    expect([...(await tape.open()).keys()]).toEqual([])
  })
})
