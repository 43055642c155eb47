import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../errors.ts'
import {
  AWAITING_PUBACK,
  AWAITING_PUBCOMP,
  AWAITING_PUBREC,
  AWAITING_REQUEST_ACK,
  Outbound,
} from './outbound.ts'

describe('Outbound', () => {
  it('takes a QoS 1 message from PUBLISH to PUBACK', () => {
    const outbound = new Outbound<string>(10)
    expect(outbound.begin('m', 1)).toBe(1)
    expect(outbound.state(1)).toBe(AWAITING_PUBACK)
    expect(outbound.message(1)).toBe('m')
    expect(outbound.quota.available).toBe(9)
    expect(outbound.puback(1)).toBe('m')
    expect(outbound.state(1)).toBe(0)
    expect(outbound.inFlight).toBe(0)
    expect(outbound.quota.available).toBe(10)
  })

  it('takes a QoS 2 message from PUBLISH over PUBREC to PUBCOMP', () => {
    const outbound = new Outbound<string>(10)
    outbound.begin('m', 2)
    expect(outbound.state(1)).toBe(AWAITING_PUBREC)
    expect(outbound.pubrec(1, 0x10)).toBe('m')
    expect(outbound.state(1)).toBe(AWAITING_PUBCOMP)
    expect(outbound.quota.available).toBe(9)
    // A PUBREC again, as after a lost PUBREL, changes nothing.
    expect(outbound.pubrec(1, 0)).toBe('m')
    expect(outbound.pubcomp(1)).toBe('m')
    expect(outbound.inFlight).toBe(0)
    expect(outbound.quota.available).toBe(10)
  })

  it('settles a QoS 2 message by a PUBREC of 0x80 or more [MQTT-4.4.0-2]', () => {
    const outbound = new Outbound<string>(1)
    outbound.begin('m', 2)
    expect(outbound.pubrec(1, 0x97)).toBe('m')
    expect(outbound.state(1)).toBe(0)
    expect(outbound.canBegin).toBe(true)
  })

  /** What may come for each state; the rest is a Protocol Error, and leaves everything as it was. */
  const transitions = [
    { qos: 1, released: false, legal: ['puback'] },
    { qos: 2, released: false, legal: ['pubrec', 'refused'] },
    { qos: 2, released: true, legal: ['pubrec', 'pubcomp'] },
    { qos: 0, released: false, legal: [] },
  ] as const
  const acknowledgements = ['puback', 'pubrec', 'refused', 'pubcomp'] as const

  const cells = transitions.flatMap((row) =>
    acknowledgements.map((packet) => ({
      ...row,
      packet,
      isLegal: (row.legal as readonly string[]).includes(packet),
    })),
  )

  it.each(cells)('$packet for QoS $qos (0: a request), PUBREL sent: $released, legal: $isLegal', (cell) => {
    const outbound = new Outbound<string>(5)
    if (cell.qos === 0) outbound.reserve()
    else outbound.begin('m', cell.qos)
    if (cell.released) outbound.pubrec(1, 0)
    const before = { state: outbound.state(1), available: outbound.quota.available }
    const receive = {
      puback: () => outbound.puback(1),
      pubrec: () => outbound.pubrec(1, 0),
      refused: () => outbound.pubrec(1, 0x80),
      pubcomp: () => outbound.pubcomp(1),
    }[cell.packet]
    if (cell.isLegal) expect(receive()).toBe('m')
    else {
      expect(receive).toThrow(ProtocolError)
      expect({ state: outbound.state(1), available: outbound.quota.available }).toEqual(before)
    }
  })

  it('ignores acknowledgements of identifiers that are not in use', () => {
    const outbound = new Outbound<string>(3)
    expect(outbound.puback(7)).toBeUndefined()
    expect(outbound.pubrec(7, 0)).toBeUndefined()
    expect(outbound.pubrec(7, 0x80)).toBeUndefined()
    expect(outbound.pubcomp(7)).toBeUndefined()
    expect(outbound.forget(7)).toBeUndefined()
    expect(outbound.release(7)).toBe(false)
    expect(outbound.quota.available).toBe(3)
  })

  it('gives identifiers to requests without touching the quota', () => {
    const outbound = new Outbound<string>(1)
    outbound.begin('m', 1)
    expect(outbound.canBegin).toBe(false)
    expect(outbound.reserve()).toBe(2)
    expect(outbound.state(2)).toBe(AWAITING_REQUEST_ACK)
    expect(outbound.inFlight).toBe(2)
    // A request is no message: it cannot be given up for its quota.
    expect(outbound.forget(2)).toBeUndefined()
    expect(outbound.quota.available).toBe(0)
    expect(outbound.release(1)).toBe(false)
    expect(outbound.release(2)).toBe(true)
    expect(outbound.release(2)).toBe(false)
    expect(outbound.quota.available).toBe(0)
  })

  it('may begin as many messages as Receive Maximum allows [MQTT-4.9.0-2]', () => {
    const outbound = new Outbound<number>(2)
    outbound.begin(1, 1)
    outbound.begin(2, 2)
    expect(outbound.canBegin).toBe(false)
    outbound.pubrec(2, 0)
    expect(outbound.canBegin).toBe(false)
    outbound.pubcomp(2)
    expect(outbound.canBegin).toBe(true)
  })

  it('keeps what is in flight over a new connection, in order, and counts anew', () => {
    const outbound = new Outbound<string>(3)
    outbound.begin('a', 1)
    outbound.begin('b', 2)
    outbound.begin('c', 1)
    outbound.puback(1)
    outbound.pubrec(2, 0)
    outbound.connect(10)
    expect(outbound.quota.available).toBe(10)
    expect(outbound.unacknowledged().map((id) => outbound.message(id))).toEqual(['b', 'c'])
    expect(outbound.state(2)).toBe(AWAITING_PUBCOMP)
    // Identifiers from 1 on, past those in use.
    expect([outbound.begin('d', 1), outbound.begin('e', 1)]).toEqual([1, 4])
    expect(outbound.unacknowledged()).toEqual([2, 3, 1, 4])
  })

  it('puts back what an earlier process had in flight', () => {
    const outbound = new Outbound<string>(3)
    outbound.restore(9, 'x', AWAITING_PUBCOMP)
    outbound.restore(4, 'y', AWAITING_PUBACK)
    expect(outbound.unacknowledged()).toEqual([9, 4])
    expect(outbound.pubcomp(9)).toBe('x')
    expect(outbound.forget(4)).toBe('y')
    expect(outbound.inFlight).toBe(0)
    outbound.begin('z', 1)
    outbound.clear()
    expect(outbound.unacknowledged()).toEqual([])
  })

  it('never has more available than at first, nor gives an identifier twice, whatever comes [MQTT-4.9.0-1]', () => {
    const step = fc.record({
      kind: fc.constantFrom(
        'begin1',
        'begin2',
        'reserve',
        'puback',
        'pubrec',
        'refused',
        'pubcomp',
        'release',
        'forget',
        'connect',
      ),
      pick: fc.nat(),
    })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 150 }), (maximum, steps) => {
        const outbound = new Outbound<number>(maximum)
        const inUse = new Map<number, number>()
        for (const [n, { kind, pick }] of steps.entries()) {
          const ids = [...inUse.keys(), 12345]
          const id = ids[pick % ids.length] as number
          const settle = (call: () => number | undefined): void => {
            try {
              if (call() !== undefined && outbound.state(id) === 0) inUse.delete(id)
            } catch (error) {
              expect(error).toBeInstanceOf(ProtocolError)
            }
          }
          if (kind === 'begin1' || kind === 'begin2') {
            if (!outbound.canBegin) continue
            const given = outbound.begin(n, kind === 'begin1' ? 1 : 2)
            expect(inUse.has(given)).toBe(false)
            inUse.set(given, n)
          } else if (kind === 'reserve') inUse.set(outbound.reserve(), -1)
          else if (kind === 'puback') settle(() => outbound.puback(id))
          else if (kind === 'pubrec') settle(() => outbound.pubrec(id, 0))
          else if (kind === 'refused') settle(() => outbound.pubrec(id, 0x80))
          else if (kind === 'pubcomp') settle(() => outbound.pubcomp(id))
          else if (kind === 'forget') settle(() => outbound.forget(id))
          else if (kind === 'release') {
            if (outbound.release(id)) inUse.delete(id)
          } else {
            outbound.connect(maximum)
            for (const each of outbound.unacknowledged())
              if (outbound.message(each) !== undefined) outbound.quota.take()
          }
          expect(outbound.quota.available).toBeLessThanOrEqual(maximum)
          expect(outbound.unacknowledged()).toEqual([...inUse.keys()])
          const messages = [...inUse.values()].filter((message) => message >= 0).length
          expect(outbound.quota.available).toBe(maximum - messages)
        }
      }),
      { numRuns: 500 },
    )
  })
})
