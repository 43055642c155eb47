import type { Packet } from '@pipit/protocol'
import { expect } from 'vitest'

/** Compares a packet that came with the one that was wanted, all fields of it; what 3.x has no room for
 *  counts as said. */
export function expectPacket(came: Packet, wanted: Packet, version: number): void {
  expect(comparable(came)).toEqual(comparable(version < 5 ? asIn3(wanted) : wanted))
}

export function expectBytes(came: Uint8Array, wanted: Uint8Array): void {
  expect(spaced(came)).toBe(spaced(wanted))
}

/** A packet as 3.x carries it: no properties, and no reason codes but those of SUBACK and CONNACK. */
function asIn3(packet: Packet): Packet {
  switch (packet.type) {
    case 'PUBACK':
    case 'PUBREC':
    case 'PUBREL':
    case 'PUBCOMP':
      return { ...packet, reasonCode: 0, properties: {} }
    case 'SUBACK':
      return {
        ...packet,
        reasonCodes: packet.reasonCodes.map((code) => (code < 0x80 ? code : 0x80)),
        properties: {},
      }
    case 'UNSUBACK':
      return { ...packet, reasonCodes: [], properties: {} }
    case 'PUBLISH':
      return { ...packet, properties: {} }
    default:
      return packet
  }
}

/** The same with bytes shown as text, so that a failure can be read. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${JSON.stringify(Buffer.from(value).toString('latin1'))}`
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, comparable(inner)]))
}

function spaced(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replaceAll(/(..)(?=.)/g, '$1 ')
}
