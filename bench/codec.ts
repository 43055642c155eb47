/** Packets per second of the codec, encoding and parsing, beside mqtt-packet 9 in one run.
 *  Both are given the same packets and the same bytes; every parsed packet object is made and its payload touched.
 *  Rates are per second of this process's CPU time (garbage collection included), so that a busy machine
 *  disturbs them little; each row is the median of interleaved pairs. */
import { pathToFileURL } from 'node:url'
import { encode, encodedLength, encodeInto, type Packet, Parser, type ProtocolVersion } from '@pipit/protocol'
import mqttPacket from 'mqtt-packet'

const PACKETS = 500
const TOPICS = [
  'sensors/esp32-s3/led/state',
  'sensors/esp32-s3/temperature',
  'sensors/esp32-s3/humidity',
  'home/kitchen/light/1/set',
  'home/kitchen/light/1/state',
  'home/living-room/thermostat/target',
  'factory/line-3/robot-12/joint/4/angle',
  'factory/line-3/robot-12/status',
  'fleet/truck/4711/position',
  'weather/station/berlin/pressure',
]

interface Case {
  readonly name: string
  readonly version: ProtocolVersion
  readonly packets: readonly Packet[]
}

/** Runs the benchmark and prints one table for parsing and one for encoding.
 *  @param args `--quick` measures a third as long; any other word keeps only the cases whose name holds it */
export async function run(args: string[]): Promise<void> {
  const quick = args.includes('--quick')
  const words = args.filter((arg) => !arg.startsWith('--'))
  const cases = allCases().filter((c) => words.every((word) => c.name.includes(word)))
  const pairs = quick ? 5 : 15
  console.log(
    `codec: Node ${process.version}, ${pairs} interleaved pairs a row, median; million packets per CPU second`,
  )
  table('parse', cases, pairs, parseOurs, parseTheirs)
  table('encode into a reused buffer', cases, pairs, encodeIntoOurs, encodeTheirs)
  table('encode, bytes of its own', cases, pairs, encodeOurs, encodeTheirs)
}

function allCases(): Case[] {
  const cases: Case[] = []
  for (const version of [4, 5] as const) {
    const label = version === 4 ? '3.1.1' : '5.0'
    for (const qos of [0, 1] as const) {
      for (const size of [16, 256, 4096]) {
        cases.push({ name: `PUBLISH QoS ${qos} ${size} B ${label}`, version, packets: publishes(qos, size) })
      }
    }
    cases.push({ name: `PUBACK ${label}`, version, packets: pubacks() })
  }
  cases.push({ name: 'PUBLISH QoS 1 16 B 5.0 +properties', version: 5, packets: withProperties() })
  return cases
}

function publishes(qos: 0 | 1, size: number): Packet[] {
  return Array.from({ length: PACKETS }, (_, i) => ({
    type: 'PUBLISH',
    topic: TOPICS[i % TOPICS.length] as string,
    payload: Buffer.alloc(size, 65 + (i % 26)),
    qos,
    retain: false,
    dup: false,
    packetId: qos === 0 ? 0 : i + 1,
  }))
}

function withProperties(): Packet[] {
  const properties = {
    payloadFormatIndicator: 1,
    messageExpiryInterval: 3600,
    contentType: 'application/json',
    userProperties: [['trace', '4bf92f3577b34da6']],
  } as const
  return publishes(1, 16).map((packet) => ({ ...packet, properties }) as Packet)
}

function pubacks(): Packet[] {
  return Array.from({ length: PACKETS }, (_, i) => ({ type: 'PUBACK', packetId: i + 1, reasonCode: 0 }))
}

/** A function that handles all packets of the case once and gives something that depends on each. */
type Work = () => number

function parseOurs(c: Case): Work {
  const chunk = chunkOf(c)
  const parser = new Parser({ protocolVersion: c.version })
  return () => {
    let touched = 0
    parser.push(chunk)
    for (let packet = parser.next(); packet !== undefined; packet = parser.next()) {
      if (packet.type === 'PUBLISH') touched += packet.payload[0] as number
      else if (packet.type === 'PUBACK') touched += packet.packetId
    }
    return touched
  }
}

function parseTheirs(c: Case): Work {
  const chunk = chunkOf(c)
  const parser = mqttPacket.parser({ protocolVersion: c.version })
  let touched = 0
  parser.on('packet', (packet) => {
    if (packet.cmd === 'publish') touched += (packet.payload as Buffer)[0] as number
    else if (packet.cmd === 'puback') touched += packet.messageId as number
  })
  parser.on('error', (error) => {
    throw error
  })
  return () => {
    touched = 0
    parser.parse(chunk)
    return touched
  }
}

function encodeIntoOurs(c: Case): Work {
  const buffer = Buffer.alloc(c.packets.reduce((sum, packet) => sum + encodedLength(packet, c.version), 0))
  const { packets, version } = c
  return () => {
    let offset = 0
    let touched = 0
    for (let i = 0; i < packets.length; i++) {
      const start = offset
      offset = encodeInto(packets[i] as Packet, version, buffer, start)
      touched += buffer[start] as number
    }
    return touched
  }
}

function encodeOurs(c: Case): Work {
  const { packets, version } = c
  return () => {
    let touched = 0
    for (let i = 0; i < packets.length; i++) touched += encode(packets[i] as Packet, version)[0] as number
    return touched
  }
}

function encodeTheirs(c: Case): Work {
  const options = { protocolVersion: c.version }
  const packets = c.packets.map(theirs)
  return () => {
    let touched = 0
    for (let i = 0; i < packets.length; i++) {
      touched += mqttPacket.generate(packets[i] as mqttPacket.Packet, options)[0] as number
    }
    return touched
  }
}

function theirs(packet: Packet): mqttPacket.Packet {
  if (packet.type === 'PUBACK') return { cmd: 'puback', messageId: packet.packetId }
  if (packet.type !== 'PUBLISH') throw new TypeError(`no case holds ${packet.type}`)
  const { topic, qos, retain, dup, properties } = packet
  const base = { cmd: 'publish', topic, qos, retain, dup, payload: packet.payload as Buffer } as const
  if (properties === undefined) return { ...base, messageId: packet.packetId }
  return {
    ...base,
    messageId: packet.packetId,
    properties: {
      payloadFormatIndicator: properties.payloadFormatIndicator === 1,
      messageExpiryInterval: properties.messageExpiryInterval,
      contentType: properties.contentType,
      userProperties: Object.fromEntries(properties.userProperties ?? []),
    },
  }
}

function chunkOf(c: Case): Buffer {
  return Buffer.concat(c.packets.map((packet) => encode(packet, c.version)))
}

function table(
  title: string,
  cases: readonly Case[],
  pairs: number,
  ours: (c: Case) => Work,
  other: (c: Case) => Work,
): void {
  console.log(
    `\n${title.padEnd(38)} ${'pipit'.padStart(8)} ${'mqtt-packet'.padStart(12)} ${'ratio'.padStart(7)}`,
  )
  for (const c of cases) {
    const a = ours(c)
    const b = other(c)
    if (a() !== b()) throw new Error(`${title}, ${c.name}: the two do not give the same result`)
    const row = measure(a, b, c.packets.length, pairs)
    const cells = [
      row.ours.toFixed(2).padStart(8),
      row.theirs.toFixed(2).padStart(12),
      row.ratio.toFixed(1).padStart(7),
    ]
    console.log(`${c.name.padEnd(38)} ${cells.join(' ')}`)
  }
}

function measure(
  ours: Work,
  other: Work,
  packets: number,
  pairs: number,
): { ours: number; theirs: number; ratio: number } {
  rate(ours, packets, 100)
  rate(other, packets, 100)
  const a: number[] = []
  const b: number[] = []
  const ratios: number[] = []
  for (let i = 0; i < pairs; i++) {
    const mine = rate(ours, packets, 40)
    const its = rate(other, packets, 40)
    a.push(mine)
    b.push(its)
    ratios.push(mine / its)
  }
  return { ours: median(a), theirs: median(b), ratio: median(ratios) }
}

/** Million packets per CPU second over at least `milliseconds` of CPU time. */
function rate(work: Work, packets: number, milliseconds: number): number {
  const start = process.cpuUsage()
  let rounds = 0
  for (;;) {
    for (let i = 0; i < 8; i++) work()
    rounds += 8
    const used = process.cpuUsage(start)
    const microseconds = used.user + used.system
    if (microseconds >= milliseconds * 1000) return (rounds * packets) / microseconds
  }
}

function median(values: number[]): number {
  const sorted = values.toSorted((x, y) => x - y)
  return sorted[sorted.length >> 1] as number
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await run(process.argv.slice(2))
}
