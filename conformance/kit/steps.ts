import type { Broker } from '@pipit/broker'
import type { Connack, ConnackProperties, Connect, Packet, QoS, ReasonCode, Will } from '@pipit/protocol'
import { returnCodeFor } from '@pipit/protocol'
import { expectBytes, expectPacket } from './match.ts'
import { disconnect, hex, suback, subscribe } from './packets.ts'
import type { Step, Version } from './row.ts'

/** What a client says in CONNECT; the rest is short and harmless. */
export interface ConnectFields extends Partial<Omit<Connect, 'type' | 'protocolVersion' | 'will'>> {
  /** Default: the version of the row. */
  readonly protocolVersion?: Version
  readonly will?: Partial<Omit<Will, 'payload'>> & { readonly payload?: string }
  /** Seconds; what both versions call a session that outlives its connection: clean start off, expiry as given. */
  readonly session?: number
}

/** What the CONNACK should say beside 0x00. */
export interface Accepted {
  readonly sessionPresent?: boolean
  /** These and no others, Topic Alias Maximum aside. */
  readonly properties?: ConnackProperties
}

/** Names the steps of one client of a row; the name is its Client Identifier too, unless CONNECT says another. */
export class Client {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  /** Opens the connection only. */
  open(version?: Version): Step {
    return this.step('opens', async (world) => void (await world.open(this.name, version)))
  }

  /** Connects, and expects to be accepted. */
  connect(fields: ConnectFields = {}, accepted: Accepted = {}): Step {
    return this.step('connects', async (world) => {
      const packet = connectPacket(this.name, fields, world.version)
      const peer = await world.open(this.name, packet.protocolVersion)
      world.remember(packet)
      peer.send(packet)
      const { packet: answer } = await peer.next()
      checkAccepted(answer, accepted)
    })
  }

  /** Opens the connection and sends CONNECT; what comes is for the next steps to say. */
  tries(fields: ConnectFields = {}): Step {
    return this.step('sends CONNECT', async (world) => {
      const packet = connectPacket(this.name, fields, world.version)
      const peer = await world.open(this.name, packet.protocolVersion)
      world.remember(packet)
      peer.send(packet)
    })
  }

  /** Sends packets, or bytes (hexadecimal digits), all in one write. */
  send(...what: (Packet | Uint8Array | string)[]): Step {
    return this.step(`sends ${what.map(nameOf).join(', ')}`, (world) => {
      for (const one of what) {
        world.peer(this.name).send(typeof one === 'string' ? hex(one) : one)
        if (typeof one !== 'string' && !(one instanceof Uint8Array)) world.remember(one)
      }
    })
  }

  /** Expects these packets, in this order, next. */
  expect(...packets: Packet[]): Step {
    return this.step(`expects ${packets.map(nameOf).join(', ')}`, async (world) => {
      const peer = world.peer(this.name)
      for (const packet of packets) expectPacket((await peer.next()).packet, packet, peer.version)
    })
  }

  /** Expects these PUBLISH packets, whichever topic comes first. */
  expectAnyOrder(...packets: Packet[]): Step {
    return this.step(`expects ${packets.map(nameOf).join(', ')} in any order`, async (world) => {
      const peer = world.peer(this.name)
      const came: Packet[] = []
      while (came.length < packets.length) came.push((await peer.next()).packet)
      const wanted = byTopic(packets)
      for (const [i, packet] of byTopic(came).entries()) expectPacket(packet, wanted[i]!, peer.version)
    })
  }

  /** Expects a packet for which `check` does not throw. */
  expectThat(what: string, check: (packet: Packet, bytes: Buffer) => void): Step {
    return this.step(`expects ${what}`, async (world) => {
      const { packet, bytes } = await world.peer(this.name).next()
      check(packet, bytes)
    })
  }

  /** Expects packets, byte by byte. */
  expectHex(...digits: string[]): Step {
    return this.step(`expects ${digits.join(', ')}`, async (world) => {
      const peer = world.peer(this.name)
      for (const one of digits) expectBytes((await peer.next()).bytes, hex(one))
    })
  }

  /** Expects that nothing more has come, all clients having had a PINGRESP behind what they did. */
  nothing(): Step {
    return this.step('expects nothing', async (world) => {
      await world.settle()
      const peer = world.peer(this.name)
      await peer.ping()
      peer.nothingLeft()
    })
  }

  /** Expects the connection to be closed with nothing said. */
  closed(): Step {
    return this.step('expects the connection to be closed', (world) => world.peer(this.name).closed())
  }

  /** Expects 5.0's DISCONNECT with the code, or 3.x's silence, and the close. */
  cutOff(reasonCode: ReasonCode): Step {
    const code = `0x${reasonCode.toString(16)}`
    return this.step(`expects to be cut off (${code})`, async (world) => {
      const peer = world.peer(this.name)
      if (peer.version === 5) expectPacket((await peer.next()).packet, disconnect(reasonCode), 5)
      await peer.closed()
    })
  }

  /** Expects a CONNACK with the code (its return code in 3.x, silence where there is none), and the close. */
  refused(reasonCode: ReasonCode): Step {
    return this.step(`expects to be refused (0x${reasonCode.toString(16)})`, async (world) => {
      const peer = world.peer(this.name)
      const code = peer.version === 5 ? reasonCode : returnCodeFor(reasonCode)
      if (code !== undefined) {
        const answer: Connack = { type: 'CONNACK', sessionPresent: false, reasonCode: code, properties: {} }
        expectPacket((await peer.next()).packet, answer, peer.version)
      }
      await peer.closed()
    })
  }

  /** Leaves with DISCONNECT, and waits until the server has closed. */
  leaves(packet: Packet = disconnect()): Step {
    return this.step('leaves', async (world) => {
      const peer = world.peer(this.name)
      peer.send(packet)
      await peer.closed()
    })
  }

  /** Loses the connection with no word, and waits until the server has noticed. */
  drops(): Step {
    return this.step('loses its connection', (world) => world.peer(this.name).end())
  }

  private step(name: string, run: Step['run']): Step {
    return { name: `${this.name} ${name}`, run }
  }
}

export const a = new Client('a')
export const b = new Client('b')
export const c = new Client('c')

/** `client` connects with a session that stays, and subscribes. */
export function takes(client: Client, qos: QoS, filter = 't'): Step[] {
  return [
    client.connect({ session: 100 }),
    client.send(subscribe(1, filter, qos)),
    client.expect(suback(1, qos)),
  ]
}

/** Lets time pass at the server. */
export function advance(seconds: number): Step {
  return {
    name: `${seconds} s go by`,
    oursOnly: true,
    async run(world) {
      await world.settle()
      world.advance(seconds)
    },
  }
}

/** Lets time pass without asking whether the clients are still there. */
export function silence(seconds: number): Step {
  return { name: `${seconds} s of silence`, oursOnly: true, run: (world) => world.advance(seconds) }
}

/** Looks at the server, or does something in its process. */
export function atServer(name: string, run: (broker: Broker) => void | Promise<void>): Step {
  return {
    name,
    oursOnly: true,
    run: (world) => {
      if (world.broker === undefined) throw new Error('not in this process')
      return run(world.broker)
    },
  }
}

/** CONNECT as a row wants it. */
export function connectPacket(name: string, fields: ConnectFields, version: Version): Connect {
  const { session, will, protocolVersion = version, properties, ...rest } = fields
  const isV5 = protocolVersion === 5
  const expiry = session !== undefined && session > 0 ? { sessionExpiryInterval: session } : {}
  return {
    type: 'CONNECT',
    protocolVersion,
    clientId: name,
    cleanStart: session === undefined,
    keepAlive: 0,
    will: will === undefined ? undefined : willOf(will, isV5),
    properties: isV5 ? { ...expiry, ...properties } : undefined,
    ...rest,
  }
}

function willOf(fields: NonNullable<ConnectFields['will']>, isV5: boolean): Will {
  const { payload = 'gone', topic = 'will', qos = 0, retain = false, properties } = fields
  return { topic, payload: Buffer.from(payload), qos, retain, properties: isV5 ? properties : undefined }
}

function checkAccepted(answer: Packet, accepted: Accepted): void {
  if (answer.type !== 'CONNACK' || answer.reasonCode !== 0) {
    throw new Error(`wanted CONNACK 0x00, got ${JSON.stringify(answer)}`)
  }
  const { sessionPresent, properties } = accepted
  if (sessionPresent !== undefined && answer.sessionPresent !== sessionPresent) {
    throw new Error(`wanted Session Present ${sessionPresent}, got ${answer.sessionPresent}`)
  }
  if (properties === undefined) return
  const { topicAliasMaximum: _default, ...others } = answer.properties ?? {}
  expectPacket({ ...answer, properties: others }, { ...answer, properties }, 5)
}

function nameOf(what: Packet | Uint8Array | string): string {
  if (typeof what === 'string') return what
  if (what instanceof Uint8Array) return Buffer.from(what.subarray(0, 40)).toString('hex')
  if (what.type === 'PUBLISH') return `PUBLISH ${what.topic} QoS ${what.qos}`
  return 'packetId' in what ? `${what.type} ${what.packetId}` : what.type
}

function byTopic(packets: readonly Packet[]): Packet[] {
  const topicOf = (packet: Packet) => (packet.type === 'PUBLISH' ? packet.topic : '')
  return [...packets].sort((one, other) => (topicOf(one) < topicOf(other) ? -1 : 1))
}
