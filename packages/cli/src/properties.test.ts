import { expect, test } from 'vitest'
import { readProperties } from './properties.ts'

const words = (...lines: string[]) => lines.map((line) => line.split(' '))

test('readProperties() sorts the properties by packet and gives each its type', () => {
  const given = readProperties(
    words(
      'CONNECT receive-maximum 10',
      'connect request-problem-information 0',
      'publish content-type text/plain',
      'publish correlation-data ab',
      'publish user-property k v',
      'publish user-property k w',
      'publish message-expiry-interval 4294967295',
      'will will-delay-interval 5',
      'subscribe user-property a b',
      'disconnect session-expiry-interval 0',
    ),
  )
  expect(given).toEqual({
    connect: { receiveMaximum: 10, requestProblemInformation: 0 },
    publish: {
      contentType: 'text/plain',
      correlationData: Uint8Array.of(0x61, 0x62),
      userProperties: [
        ['k', 'v'],
        ['k', 'w'],
      ],
      messageExpiryInterval: 4294967295,
    },
    will: { willDelayInterval: 5 },
    subscribe: { userProperties: [['a', 'b']] },
    unsubscribe: {},
    disconnect: { sessionExpiryInterval: 0 },
    any: true,
  })
  expect(readProperties([]).any).toBe(false)
})

test.each([
  [
    'publish',
    '-D publish: it has no property ""; it takes payload-format-indicator, message-expiry-interval',
  ],
  [
    'subscribe subscription-identifier 3',
    '-D subscribe: it has no property "subscription-identifier"; it takes user-property',
  ],
  ['auth reason-string x', '-D auth reason-string x: no properties for auth; it takes connect, publish'],
  ['publish receive-maximum 1', '-D publish: it has no property "receive-maximum"; it takes payload-format'],
  ['publish content-type', '-D publish content-type: the value is missing'],
  ['publish user-property k', '-D publish user-property: it takes a name and a value'],
  [
    'publish payload-format-indicator 2',
    '-D publish payload-format-indicator is "2"; it takes a whole number from 0 to 1',
  ],
  ['connect receive-maximum 0', '-D connect receive-maximum is "0"; it takes a whole number from 1 to 65535'],
  [
    'connect maximum-packet-size many',
    '-D connect maximum-packet-size is "many"; it takes a whole number from 1 to',
  ],
])('readProperties() refuses -D %s', (line, message) => {
  expect(() => readProperties(words(line))).toThrow(message)
})

test('readProperties() refuses a property given twice, and a packet the command does not send', () => {
  expect(() => readProperties(words('publish content-type a', 'publish content-type b'))).toThrow(
    /given twice/,
  )
  expect(() => readProperties(words('publish content-type a'), ['connect'])).toThrow(/it takes connect$/)
})
