import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker, type BrokerOptions } from '@pipit/broker'
import type { Packet } from '@pipit/protocol'
import { disconnect, publish } from './packets.ts'
import { Peer } from './peer.ts'
import type { Version } from './row.ts'

/** Where a server listens that is not ours: `host:port`, from the environment. */
export const TARGET = process.env['PIPIT_CONFORMANCE_TARGET']

/** Each server of ours keeps what has to survive in a data folder of its own: `PIPIT_CONFORMANCE_DATA=1`. */
const WITH_DATA = process.env['PIPIT_CONFORMANCE_DATA'] !== undefined

/** A server, its clock and the clients of one row. */
export class World {
  readonly version: Version
  readonly broker: Broker | undefined
  private readonly host: string
  private port = 0
  private readonly peers = new Map<string, Peer>()
  private readonly clientIds = new Set<string>()
  private readonly retained = new Set<string>()
  private readonly endings: (() => void)[] = []
  private clockMs = Date.UTC(2026, 0, 1)

  private constructor(version: Version, options: BrokerOptions) {
    this.version = version
    if (TARGET === undefined) {
      const data = WITH_DATA ? { data: this.dataFolder() } : {}
      this.broker = new Broker({ ...options, ...data, now: () => this.clockMs })
      this.host = '127.0.0.1'
    } else {
      const colon = TARGET.lastIndexOf(':')
      this.host = TARGET.slice(0, colon)
      this.port = Number(TARGET.slice(colon + 1))
    }
  }

  /** Starts a server for a row, or takes the one that PIPIT_CONFORMANCE_TARGET names. */
  static async begin(version: Version, options: BrokerOptions = {}): Promise<World> {
    const world = new World(version, options)
    if (world.broker !== undefined) {
      const listener = await world.broker.listen({ port: 0, host: world.host })
      world.port = listener.port
    }
    return world
  }

  /** Opens a socket for a client; another one of the same name is left to itself. */
  async open(name: string, version: Version = this.version): Promise<Peer> {
    const peer = await Peer.open(name, version, this.host, this.port)
    this.peers.get(name)?.destroy()
    this.peers.set(name, peer)
    return peer
  }

  peer(name: string): Peer {
    const peer = this.peers.get(name)
    if (peer === undefined) throw new Error(`${name} has not connected in this row`)
    return peer
  }

  /** What a client leaves behind with this packet, session or retained message, is cleared away after the row. */
  remember(packet: Packet): void {
    if (packet.type === 'CONNECT') {
      this.clientIds.add(packet.clientId)
      if (packet.will?.retain === true) this.retained.add(packet.will.topic)
    } else if (packet.type === 'PUBLISH' && packet.retain) this.retained.add(packet.topic)
  }

  /** Waits until the server has done all that the clients asked of it. */
  async settle(): Promise<void> {
    for (const peer of this.peers.values()) if (!peer.ended) await peer.ping()
  }

  /** Lets time pass at the server. */
  advance(seconds: number): void {
    if (this.broker === undefined) throw new Error('the clock of another server cannot be moved')
    this.clockMs += seconds * 1000
    this.broker.sweep()
  }

  /** Does this too when the row is over. */
  finally(ending: () => void): void {
    this.endings.push(ending)
  }

  /** Ends what the row began. */
  async end(): Promise<void> {
    for (const peer of this.peers.values()) peer.destroy()
    if (this.broker !== undefined) await this.broker.close()
    else await this.cleanUp()
    for (const ending of this.endings) ending()
  }

  private dataFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'pipit-conformance-'))
    this.endings.push(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  }

  /** Sessions and retained messages would be found by the next row. */
  private async cleanUp(): Promise<void> {
    for (const clientId of this.clientIds) await this.visit(clientId)
    await this.visit('cleaner', [...this.retained])
  }

  /** Connects with a clean session, clears what these topics retain, and leaves. */
  private async visit(clientId: string, topics: readonly string[] = []): Promise<void> {
    const peer = await Peer.open(clientId, 4, this.host, this.port)
    peer.send({ type: 'CONNECT', protocolVersion: 4, clientId, cleanStart: true, keepAlive: 0 })
    await peer.next()
    for (const topic of topics) peer.send(publish(topic, '', { retain: true }))
    peer.send(disconnect())
    await peer.closed()
  }
}
