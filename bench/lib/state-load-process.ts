// The load of bench/state, in a process of its own so that it can be pinned: `node state-load-process.ts JSON`, where JSON is
// a StateLoad. It prints a StateResult.
import { connect, type Socket } from 'node:net'
import { encode, type Packet } from '@pipit/protocol'
import { Link, type LinkEvents } from '../../packages/cli/src/load/link.ts'
import { cpuSeconds } from './cpu.ts'
import { plain } from './load.ts'
import { residentBytes } from './machine.ts'

export interface StateLoad {
  readonly scenario: 'connect' | 'wild' | 'retained' | 'offline'
  readonly port: number
  /** Of the broker's process. */
  readonly pid: number
  /** Messages or filters; of `connect`: connections at a time. */
  readonly count: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

export interface StateResult {
  /** Connections or messages. */
  readonly done: number
  readonly seconds: number
  readonly brokerCpuSeconds: number
  /** What a filter cost, where that was measured. */
  readonly bytesEach?: number
  /** Anything but 0 is a fault. */
  readonly lost: number
  readonly repeated: number
  readonly strange: number
}

const SIZE = 24
const WINDOW = 200
/** Ports of one address run out when connections come and go by the ten thousand. */
const ADDRESSES = 32

const load = JSON.parse(process.argv[2] ?? '{}') as StateLoad
const { port, pid, count } = load
const FAREWELL = encode({ type: 'DISCONNECT', reasonCode: 0 }, 4)

/** CPU and time from here on. */
function stopwatch(): () => Pick<StateResult, 'seconds' | 'brokerCpuSeconds'> {
  const cpu = cpuSeconds(pid)
  const begun = performance.now()
  return () => ({ seconds: (performance.now() - begun) / 1000, brokerCpuSeconds: cpuSeconds(pid) - cpu })
}

/** CONNECT to CONNACK, DISCONNECT and away, `count` at a time. */
async function connects(): Promise<StateResult> {
  let done = 0
  let refused = 0
  let isOver = false
  const one = async (index: number): Promise<void> => {
    for (let turn = 0; !isOver; turn++) {
      if (await connectOnce(`c-${index}-${turn}`, `127.0.0.${2 + (index % ADDRESSES)}`)) done++
      else refused++
    }
  }
  const all = Array.from({ length: count }, (_, index) => one(index))
  await pause(load.warmUpSeconds)
  const read = stopwatch()
  const before = done
  await pause(load.seconds)
  const result = { done: done - before, ...read(), lost: refused, repeated: 0, strange: 0 }
  isOver = true
  await Promise.all(all)
  return result
}

function connectOnce(clientId: string, localAddress: string): Promise<boolean> {
  const hello: Packet = { type: 'CONNECT', protocolVersion: 4, clientId, cleanStart: true, keepAlive: 0 }
  return new Promise((resolve) => {
    const socket: Socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true })
    let isAccepted = false
    socket.on('connect', () => socket.write(encode(hello, 4)))
    socket.on('data', (bytes) => {
      isAccepted = bytes.length === 4 && bytes[0] === 0x20 && bytes[3] === 0
      socket.end(FAREWELL)
      socket.destroySoon()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(isAccepted))
  })
}

/** 100 subscribers share `count` filters with a wildcard; 10 publishers send to topics of which each meets one. */
async function wild(): Promise<StateResult> {
  const each = Math.ceil(count / 100)
  const before = residentBytes(pid)
  const tally = { sent: 0, delivered: 0, strange: 0 }
  const publishers: { readonly link: Link; underWay: number }[] = []
  for (let index = 0; index < 100; index++) {
    const link = await Link.open(plain(port), `s-${index}`)
    for (let from = index * each; from < (index + 1) * each; from += 50) {
      const size = Math.min(50, (index + 1) * each - from)
      await link.subscribeAll(Array.from({ length: size }, (_, i) => `a/${from + i}/+/x`))
    }
    link.events.publish = (bytes, _start, body, end) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset + end - SIZE, SIZE)
      tally.delivered++
      if (Math.floor(view.getUint32(0) / each) !== index) tally.strange++
      publishers[view.getUint32(4)]!.underWay--
      if (body > end) tally.strange++
    }
  }
  const bytesEach = (residentBytes(pid) - before) / (each * 100)
  for (let index = 0; index < 10; index++) {
    publishers.push({ link: await Link.open(plain(port), `p-${index}`), underWay: 0 })
  }
  let isOver = false
  let next = 0
  const send = (): void => {
    for (const [index, publisher] of publishers.entries()) {
      const frames: Uint8Array[] = []
      for (; publisher.underWay < WINDOW; publisher.underWay++) {
        // One behind the other, far apart: no cache of the last ones helps.
        next = (next + 7919) % (each * 100)
        frames.push(frame(`a/${next}/t/x`, next, index, 0))
      }
      tally.sent += frames.length
      if (frames.length > 0) publisher.link.write(Buffer.concat(frames))
    }
    if (!isOver) setImmediate(send)
  }
  send()
  await pause(load.warmUpSeconds)
  const read = stopwatch()
  const begun = tally.delivered
  await pause(load.seconds)
  const result = { done: tally.delivered - begun, ...read() }
  isOver = true
  for (let waited = 0; waited < 50 && tally.delivered < tally.sent; waited++) await pause(0.1)
  const lost = Math.max(0, tally.sent - tally.delivered)
  return {
    ...result,
    bytesEach,
    lost,
    repeated: Math.max(0, tally.delivered - tally.sent),
    strange: tally.strange,
  }
}

/** `count` retained messages go to a subscriber that is new, three times. */
async function retained(): Promise<StateResult> {
  await publishAll((i) => frame(`r/${i % 100}/${i}`, i, 0, 1, true))
  const total = { done: 0, seconds: 0, brokerCpuSeconds: 0, lost: 0, repeated: 0, strange: 0 }
  for (let turn = 0; turn < 3; turn++) {
    const receiver = new Receiver()
    const link = await Link.open(plain(port), `r-${turn}`, true, receiver.events)
    receiver.link = link
    const read = stopwatch()
    await link.subscribe('r/#', 1)
    await receiver.all
    const { seconds, brokerCpuSeconds } = read()
    link.close()
    total.done += receiver.received
    total.seconds += seconds
    total.brokerCpuSeconds += brokerCpuSeconds
    total.lost += receiver.lost
    total.repeated += receiver.repeated
  }
  return total
}

/** A session that was away comes back to `count` messages. */
async function offline(): Promise<StateResult> {
  const first = await Link.open(plain(port), 'away', false)
  await first.subscribe('o/+/+', 1)
  first.close()
  await publishAll((i) => frame(`o/${i % 100}/${i}`, i, 0, 1))
  const receiver = new Receiver()
  const read = stopwatch()
  receiver.link = await Link.open(plain(port), 'away', false, receiver.events)
  receiver.answer()
  await receiver.all
  const { received: done, lost, repeated, disordered: strange } = receiver
  return { done, ...read(), lost, repeated, strange }
}

/** Takes `count` messages of QoS 1, whatever their order, and acknowledges them. */
class Receiver {
  link: Link | undefined
  received = 0
  repeated = 0
  disordered = 0
  readonly all: Promise<void>
  readonly events: LinkEvents
  private readonly seen = new Uint8Array(count)
  private last = -1
  private acks: number[] = []

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>()
    // Who waits for what is lost waits for ten seconds without a message.
    let silence = setTimeout(resolve, 10_000)
    this.all = promise.finally(() => clearTimeout(silence))
    this.events = {
      publish: (bytes, _start, body, end) => {
        const number = new DataView(bytes.buffer, bytes.byteOffset + end - SIZE, 4).getUint32(0)
        if (this.seen[number] === 1) this.repeated++
        else this.received++
        if (number < this.last) this.disordered++
        this.seen[number] = 1
        this.last = number
        const id = body + 2 + ((bytes[body]! << 8) | bytes[body + 1]!)
        if (((bytes[_start]! >> 1) & 3) > 0) this.acks.push(0x40, 2, bytes[id]!, bytes[id + 1]!)
      },
      chunkEnd: () => {
        this.answer()
        clearTimeout(silence)
        silence = setTimeout(resolve, 10_000)
        if (this.received === count) resolve()
      },
    }
  }

  get lost(): number {
    return count - this.received
  }

  /** Acknowledges what has come, once there is a link to do it on. */
  answer(): void {
    if (this.acks.length === 0 || this.link === undefined) return
    this.link.write(Uint8Array.from(this.acks))
    this.acks = []
  }
}

/** Publishes `count` messages of QoS 1; settles when all are acknowledged. */
async function publishAll(frameOf: (index: number) => Uint8Array): Promise<void> {
  const link = await Link.open(plain(port), 'publisher')
  const { promise, resolve } = Promise.withResolvers<void>()
  let sent = 0
  let acknowledged = 0
  const send = (): void => {
    const frames: Uint8Array[] = []
    while (sent < count && sent - acknowledged < WINDOW) frames.push(frameOf(sent++))
    if (frames.length > 0) link.write(Buffer.concat(frames))
  }
  link.events.acknowledged = () => {
    if (++acknowledged === count) resolve()
  }
  link.events.chunkEnd = send
  send()
  await promise
  link.close()
}

/** A PUBLISH whose payload begins with two numbers. */
function frame(topic: string, first: number, second: number, qos: 0 | 1, retain = false): Uint8Array {
  const payload = Buffer.alloc(SIZE)
  payload.writeUInt32BE(first, 0)
  payload.writeUInt32BE(second, 4)
  const packetId = qos === 0 ? 0 : (first % 65535) + 1
  return encode({ type: 'PUBLISH', topic, payload, qos, retain, dup: false, packetId }, 4)
}

function pause(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

const run = { connect: connects, wild, retained, offline }[load.scenario]
console.log(JSON.stringify(await run()))
process.exit(0)
