import { expect, test } from 'vitest'
import { compileFormat, type PrintedMessage, payloadOnly, verbose } from './format.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const moment = { date: new Date(2026, 10, 5, 7, 8, 9), nanoseconds: 12_345_000 }
const stamp = `2026-11-05T07:08:09`
const message: PrintedMessage = {
  topic: 'a/topic',
  payload: new TextEncoder().encode('{"x":1.50}'),
  qos: 1,
  retain: true,
  packetId: 7,
  properties: {
    payloadFormatIndicator: 1,
    messageExpiryInterval: 100,
    contentType: 'text/plain',
    responseTopic: 're/ply',
    correlationData: new TextEncoder().encode('cd'),
    subscriptionIdentifiers: [3],
    userProperties: [
      ['k1', 'v1'],
      ['k2', 'v2'],
    ],
  },
}
const empty: PrintedMessage = { topic: 'a/b', payload: new Uint8Array(0), qos: 0, retain: false, packetId: 0 }

// Right-hand sides as Debian's mosquitto_sub 2.0.11 prints them.
const same: [string, string, string][] = [
  [
    '%t|%p|%q|%r|%l|%m|%x|%X|%%',
    'a/topic|{"x":1.50}|1|1|10|7|7b2278223a312e35307d|7B2278223A312E35307D|%',
    'a/b||0|0|0|0|||%',
  ],
  ['A%A|C%C|D%D|E%E|F%F|P%P|R%R|S%S', 'A|Ctext/plain|Dcd|E100|F1|Pk1:v1 k2:v2|Rre/ply|S3', 'A|C|D|E|F|P|R|S'],
  [
    '%10t|%-10t|%010t|%5.3t|%.2t|%-8.2t|',
    '   a/topic|a/topic   |   a/topic|  a/t|a/|a/      |',
    '       a/b|a/b       |       a/b|  a/b|a/|a/      |',
  ],
  [
    '%15p|%015p|%-15p|%.3p|',
    '     {"x":1.50}|00000{"x":1.50}|{"x":1.50}     |{"x":1.50}|',
    '               |000000000000000|               ||',
  ],
  [
    '%5l|%05l|%-5l|%5m|%05m|%-5m|',
    '   10|00010|10   |    7|00007|7    |',
    '    0|00000|0    |    0|00000|0    |',
  ],
  ['%5q|%5r|', '1|1|', '0|0|'],
  [
    '@Y-@m-@d @@ \\\\ \\a\\e\\n\\r\\t\\v\\0.',
    '2026-11-05 @ \\ \x07\x1b\n\r\t\v\0.',
    '2026-11-05 @ \\ \x07\x1b\n\r\t\v\0.',
  ],
  [
    '%10C|%-12C|%.3C|%5E|%05E|%3F|%03F|%10P|',
    'text/plain|text/plain  |tex|  100|00100|  1|001|k1:v1 k2:v2|',
    '          |            ||     |00000|   |000||',
  ],
  ['@Q|@j|@a|@E', '%Q|309|Thu|%E', '%Q|309|Thu|%E'],
  ['@N %I', `012345000 ${stamp}+0000`, `012345000 ${stamp}+0000`],
  ['é%té', 'éa/topicé', 'éa/bé'],
]

test.each(same)('compileFormat(%j) prints as mosquitto_sub does', (format, first, second) => {
  const zone = /\+0000/g
  const here = timeZone()
  expect(text(compileFormat(format)(message, moment))).toBe(first.replace(zone, here))
  expect(text(compileFormat(format)(empty, moment))).toBe(second.replace(zone, here))
})

test('compileFormat() pads hex to its width and never cuts it', () => {
  expect(text(compileFormat('%24x|%024x|%-24x|%4x')(message, moment))).toBe(
    '    7b2278223a312e35307d|00007b2278223a312e35307d|7b2278223a312e35307d    |7b2278223a312e35307d',
  )
})

test('compileFormat() leaves payload bytes as they are', () => {
  const payload = Uint8Array.of(0xff, 0x00, 0x0a)
  expect([...compileFormat('<%p>')({ ...message, payload }, moment)]).toEqual([0x3c, 0xff, 0x00, 0x0a, 0x3e])
})

test('%j prints JSON with the payload as text, %J as JSON', () => {
  const described = {
    tst: `${stamp}.012345${timeZone()}`,
    topic: 'a/topic',
    qos: 1,
    retain: 1,
    payloadlen: 10,
    mid: 7,
    properties: {
      'payload-format-indicator': 1,
      'message-expiry-interval': 100,
      'content-type': 'text/plain',
      'response-topic': 're/ply',
      'correlation-data': 'cd',
      'subscription-identifier': 3,
      'user-properties': { k1: 'v1', k2: 'v2' },
    },
  }
  expect(JSON.parse(text(compileFormat('%j')(message, moment)))).toEqual({
    ...described,
    payload: '{"x":1.50}',
  })
  const line = text(compileFormat('%J')(message, moment))
  expect(JSON.parse(line)).toEqual({ ...described, payload: { x: 1.5 } })
  expect(line).toMatch(/"payload":\{"x":1\.50\}\}$/)
  const bare = { tst: described.tst, topic: 'a/b', qos: 0, retain: 0, payloadlen: 0, payload: null }
  expect(JSON.parse(text(compileFormat('%j')(empty, moment)))).toEqual(bare)
  expect(JSON.parse(text(compileFormat('%J')(empty, moment)))).toEqual(bare)
})

test('%J keeps one message on one line, and --pretty spreads it', () => {
  const payload = new TextEncoder().encode('{\n"x": [1]\n}')
  expect(text(compileFormat('%J')({ ...message, payload }, moment))).not.toContain('\n')
  const pretty = text(compileFormat('%J', { pretty: true })(message, moment))
  expect(pretty.split('\n').length).toBeGreaterThan(10)
  expect(JSON.parse(pretty)).toMatchObject({ topic: 'a/topic', payload: { x: 1.5 } })
})

test('%J of a payload that is no JSON prints nothing and tells of it', () => {
  const faults: string[] = []
  const format = compileFormat('<%J>', { onFault: (line) => void faults.push(line) })
  expect(text(format({ ...message, payload: new TextEncoder().encode('a"') }, moment))).toBe('<>')
  expect(faults).toEqual(['Error: Message payload is not valid JSON on topic a/topic.'])
})

test('%j lists the values of a user property that stands more than once', () => {
  const properties = {
    userProperties: [
      ['k', '1'],
      ['k', '2'],
    ],
  } as const
  expect(JSON.parse(text(compileFormat('%j')({ ...message, properties }, moment))).properties).toEqual({
    'user-properties': { k: ['1', '2'] },
  })
})

test.each([
  ['%z', /^-F has no sequence %z; it takes %A %C/],
  ['a%5', /^-F ends in the middle of "%5"/],
  ['%', /^-F ends in the middle of "%"/],
  ['@', /^-F ends in the middle of "@"/],
  ['\\', /^-F ends in the middle of "\\\\"/],
  ['\\q', /^-F has no escape \\q; it takes \\0 \\\\ \\a/],
])('compileFormat(%j) is refused', (format, fault) => {
  expect(() => compileFormat(format)).toThrow(fault)
})

test('payloadOnly and verbose print as mosquitto_sub does without -F', () => {
  expect(text(payloadOnly(message, moment))).toBe('{"x":1.50}')
  expect(text(verbose(message, moment))).toBe('a/topic {"x":1.50}')
  expect(text(verbose(empty, moment))).toBe('a/b (null)')
})

function timeZone(): string {
  return text(compileFormat('@z')(empty, moment))
}
