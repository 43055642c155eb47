import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ProtocolError } from '../errors.ts'
import { InboundAliases, OutboundAliases } from './aliases.ts'

describe('InboundAliases', () => {
  it('resolves an alias to the topic that came with it last', () => {
    const aliases = new InboundAliases(2)
    expect(aliases.resolve('a', 1)).toBe('a')
    expect(aliases.resolve('', 1)).toBe('a')
    expect(aliases.resolve('b', 1)).toBe('b')
    expect(aliases.resolve('', 1)).toBe('b')
    expect(aliases.resolve('c', 2)).toBe('c')
  })

  it.each([0, 3, 65535])('refuses alias %i of a maximum of 2 with 0x94', (alias) => {
    const aliases = new InboundAliases(2)
    expect(() => aliases.resolve('a', alias)).toThrow(expect.objectContaining({ reasonCode: 0x94 }))
  })

  it('refuses any alias when none was announced', () => {
    expect(() => new InboundAliases(0).resolve('a', 1)).toThrow(expect.objectContaining({ reasonCode: 0x94 }))
  })

  it('refuses an alias that was never defined with 0x82', () => {
    expect(() => new InboundAliases(2).resolve('', 1)).toThrow(expect.objectContaining({ reasonCode: 0x82 }))
  })
})

describe('OutboundAliases', () => {
  it('assigns aliases from 1 to the maximum, then takes that of the topic used longest ago', () => {
    const aliases = new OutboundAliases(2)
    expect(aliases.known('a')).toBe(0)
    expect(aliases.assign('a')).toBe(1)
    expect(aliases.assign('b')).toBe(2)
    expect(aliases.known('a')).toBe(1)
    expect(aliases.assign('c')).toBe(2)
    expect(aliases.known('b')).toBe(0)
    expect(aliases.known('a')).toBe(1)
    expect(aliases.known('c')).toBe(2)
  })

  it('assigns none when the peer takes none [MQTT-3.1.2-27]', () => {
    const aliases = new OutboundAliases(0)
    expect(aliases.assign('a')).toBe(0)
    expect(aliases.known('a')).toBe(0)
  })

  it('and InboundAliases always mean the same topic', () => {
    const topics = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 60 })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4 }), topics, (maximum, sent) => {
        const ours = new OutboundAliases(maximum)
        const theirs = new InboundAliases(maximum)
        for (const topic of sent) {
          const known = ours.known(topic)
          const alias = known === 0 ? ours.assign(topic) : known
          if (alias === 0) expect(maximum).toBe(0)
          else expect(theirs.resolve(known === 0 ? topic : '', alias)).toBe(topic)
        }
      }),
    )
  })

  it('fails as ProtocolError, so that the connection can name it', () => {
    expect(() => new InboundAliases(1).resolve('', 1)).toThrow(ProtocolError)
  })
})
