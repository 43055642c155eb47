import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PacketIdTable } from './packet-id-table.ts'

describe('PacketIdTable', () => {
  it('gives identifiers from 1 on, one after the other', () => {
    const table = new PacketIdTable<string>()
    expect(Array.from({ length: 100 }, (_, i) => table.allocate(`v${i}`, 1))).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    )
    expect(table.size).toBe(100)
    expect(table.value(42)).toBe('v41')
  })

  it('does not give an identifier again before the others have had their turn', () => {
    const table = new PacketIdTable<number>()
    expect(table.allocate(0, 1)).toBe(1)
    table.delete(1)
    expect(table.allocate(0, 1)).toBe(2)
  })

  it('goes on at 1 behind 65535 and passes by what is in use', () => {
    const table = new PacketIdTable<number>()
    table.set(1, 1, 1)
    table.set(3, 3, 1)
    for (let id = 2; id <= 65535; id++) {
      if (id === 3) continue
      expect(table.allocate(id, 1)).toBe(id)
      table.delete(id)
    }
    expect(table.allocate(0, 1)).toBe(2)
    expect(table.allocate(0, 1)).toBe(4)
    expect(table.value(3)).toBe(3)
  })

  it('holds all 65535 identifiers, and refuses one more', () => {
    const table = new PacketIdTable<number>()
    for (let id = 1; id <= 65535; id++) expect(table.allocate(id, 1)).toBe(id)
    expect(() => table.allocate(0, 1)).toThrow(RangeError)
    for (let id = 1; id <= 65535; id++) if (table.value(id) !== id) throw new Error(`${id} is lost`)
    table.delete(40000)
    expect(table.allocate(7, 2)).toBe(40000)
    expect(table.inOrder().at(-1)).toBe(40000)
    for (let id = 1; id <= 65535; id++) table.delete(id)
    expect(table.size).toBe(0)
    expect(table.inOrder()).toEqual([])
    expect(table.allocate(0, 1)).toBe(40001)
  })

  it('begins at 1 again after restart(), what is in use stays', () => {
    const table = new PacketIdTable<string>()
    table.allocate('a', 1)
    table.allocate('b', 1)
    table.delete(1)
    table.restart()
    expect(table.allocate('c', 1)).toBe(1)
    expect(table.allocate('d', 1)).toBe(3)
    expect(table.value(2)).toBe('b')
  })

  it('keeps the order in which identifiers were taken, across the end of their range', () => {
    const table = new PacketIdTable<number>()
    for (const id of [65534, 7, 65535, 3]) table.set(id, id, 1)
    table.set(7, 77, 2)
    expect(table.inOrder()).toEqual([65534, 7, 65535, 3])
    expect(table.state(7)).toBe(2)
    expect(table.value(7)).toBe(77)
  })

  it('does not grow because a peer chooses identifiers that share a slot', () => {
    const table = new PacketIdTable<number>()
    // The inverse of the table's hash: identifiers that all have slot 0 for their own.
    const sameSlot = (i: number): number => (i * 30599) & 0xffff
    for (let i = 1; i <= 15; i++) table.set(sameSlot(i), i, 1)
    const { ids } = table as unknown as { ids: Uint16Array }
    expect(ids.length).toBeLessThanOrEqual(64)
    for (let i = 1; i <= 15; i++) expect(table.value(sameSlot(i))).toBe(i)
    for (let i = 15; i >= 1; i -= 2) table.delete(sameSlot(i))
    for (let i = 2; i <= 14; i += 2) expect(table.value(sameSlot(i))).toBe(i)
    expect(table.size).toBe(7)
  })

  it('knows nothing of identifier 0 and of what is free', () => {
    const table = new PacketIdTable<number>()
    for (const id of [0, 1, 65535]) {
      expect(table.state(id)).toBe(0)
      expect(table.value(id)).toBeUndefined()
      table.delete(id)
      table.setState(id, 3)
    }
    expect(table.size).toBe(0)
    table.set(5, 5, 1)
    table.delete(0)
    table.delete(21)
    expect(table.size).toBe(1)
  })

  it('behaves as a Map does', () => {
    const id = fc.oneof(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 65535 }),
      fc.integer({ min: 1, max: 30 }).map((n) => (n * 30599) & 0xffff),
    )
    const step = fc.record({
      kind: fc.constantFrom('allocate', 'set', 'delete', 'setState', 'clear', 'restart'),
      id,
      state: fc.integer({ min: 1, max: 4 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.boolean(), (steps, isSpread) => {
        const table = new PacketIdTable<number>(isSpread)
        // A Map keeps the order in which its keys came, as the table does.
        const model = new Map<number, { value: number; state: number }>()
        let next = 0
        for (const [n, { kind, id, state }] of steps.entries()) {
          const known = model.get(id)
          if (kind === 'allocate') {
            next = nextFree(model, next)
            expect(table.allocate(n, state)).toBe(next)
            model.set(next, { value: n, state })
          } else if (kind === 'set') {
            table.set(id, n, state)
            if (known === undefined) model.set(id, { value: n, state })
            else Object.assign(known, { value: n, state })
          } else if (kind === 'delete') {
            table.delete(id)
            model.delete(id)
          } else if (kind === 'setState') {
            table.setState(id, state)
            if (known !== undefined) known.state = state
          } else if (kind === 'clear' && n % 5 === 0) {
            table.clear()
            model.clear()
            next = 0
          } else if (kind === 'restart') {
            table.restart()
            next = 0
          }
          expect(table.size).toBe(model.size)
        }
        expect(table.inOrder()).toEqual([...model.keys()])
        for (const [key, { value, state }] of model) {
          expect(table.value(key)).toBe(value)
          expect(table.state(key)).toBe(state)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

function nextFree(model: ReadonlyMap<number, unknown>, last: number): number {
  let id = last
  do id = id === 65535 ? 1 : id + 1
  while (model.has(id))
  return id
}
