import {
  decodeBody,
  Frames,
  type InboundAliases,
  type Packet,
  type QoS,
  type ReasonCode,
  type Will,
} from '@pipit/protocol'
import type { Access } from './auth/access.ts'
import type { Broker } from './broker.ts'
import { handlePlainPuback } from './handlers/acknowledgements.ts'
import type { Authentication } from './handlers/auth.ts'
import { handlePacket } from './handlers/dispatch.ts'
import { checkFirstByte, checkFrame, endForFault } from './handlers/faults.ts'
import { handlePublish } from './handlers/publish.ts'
import type { HookClient } from './hooks.ts'
import { type ListenerRules, NO_RULES } from './listeners/rules.ts'
import type { ByteStream, StreamOwner } from './listeners/stream.ts'
import { withoutPort } from './network.ts'
import type { Delivery } from './routing/delivery.ts'
import { TopicTable } from './routing/topic-table.ts'
import { Sender } from './sender.ts'
import type { Session } from './sessions/session.ts'
import { Throttle } from './throttle.ts'

/** A client with so many bytes of answers to take is not read from. */
const READ_PAUSE = 1048576

/** One client's connection: bytes in, packets to their handlers. What goes out is its Sender's. */
export class Connection extends Sender implements StreamOwner {
  readonly frames: Frames
  /** Undefined until CONNECT was accepted. */
  session: Session | undefined = undefined
  /** Forgotten on DISCONNECT 0 [MQTT-3.14.4-3]. */
  will: Will | undefined = undefined
  /** Seconds; 0: off. */
  keepAlive = 0
  requestProblemInformation = true
  aliases: InboundAliases | undefined = undefined
  /** Enhanced authentication that CONNECT asked for. */
  authenticationMethod: string | undefined = undefined
  /** Enhanced authentication that has not come to its end. */
  authentication: Authentication | undefined = undefined
  /** Who may come in through its listener; undefined: everyone. */
  access: Access | undefined = undefined
  /** What its listener says about its clients. */
  rules: ListenerRules = NO_RULES
  /** It says that it is a bridge. */
  isBridge = false
  /** The Client Identifier in its CONNECT, whoever it is. */
  claimedId = ''
  /** The user name in its CONNECT. */
  claimedUser: string | undefined = undefined
  /** The user whose password it gave, and what that password is known by. */
  loginUser: string | undefined = undefined
  loginMark: string | undefined = undefined
  /** The user that this connection is counted under. */
  countedUser: string | undefined = undefined
  /** When the login ends, milliseconds. */
  validUntil = Number.POSITIVE_INFINITY
  readonly connectedAt: number
  /** When bytes came last, milliseconds. */
  lastReceived: number
  /** A subscriber in this process, which no hook and no limit of clients concerns. */
  isLocal = false
  /** CONNECT has come. */
  connecting = false
  /** Counters, summed when they are read. */
  packetsReceived = 0
  publishesReceived = 0
  publishBytesReceived = 0
  bytesReceived = 0
  /** Its client has acknowledged something: what waits is looked at once the whole chunk is handled. */
  hasRoom = false
  private topicTable: TopicTable | undefined = undefined
  private mountedTable: TopicTable | undefined = undefined
  /** Not read from until its answers have gone out: it sends and does not receive. */
  private paused = false
  /** Not read from because it is over its rate. */
  private throttled = false
  private readonly throttle: Throttle | undefined
  private suspended: Promise<void> | undefined = undefined
  private held: Uint8Array[] | undefined = undefined

  constructor(broker: Broker, stream: ByteStream) {
    super(broker, stream)
    this.frames = new Frames(broker.limits.connectPacketSize)
    this.connectedAt = this.lastReceived = broker.now()
    const { messageRate, byteRate } = broker.limits
    const limited = messageRate > 0 || byteRate > 0
    this.throttle = limited ? new Throttle(messageRate, byteRate, this.connectedAt) : undefined
  }

  /** The highest QoS that its client may use. */
  get maximumQoS(): QoS {
    const { maximumQoS } = this.rules
    return maximumQoS === undefined || maximumQoS > this.broker.maximumQoS
      ? this.broker.maximumQoS
      : maximumQoS
  }

  /** The peer's address without its port. */
  get address(): string {
    return withoutPort(this.stream.remoteAddress)
  }

  override get clientId(): string {
    return this.session?.clientId ?? ''
  }

  /** Topics this client published to last. */
  get topics(): TopicTable {
    this.topicTable ??= new TopicTable()
    return this.topicTable
  }

  /** Of one with a mount point, by their whole names. */
  get mountedTopics(): TopicTable {
    this.mountedTable ??= new TopicTable()
    return this.mountedTable
  }

  onChunk(chunk: Uint8Array, length = chunk.length): void {
    if (this.closed) return
    this.bytesReceived += length
    this.lastReceived = this.broker.now()
    if (this.suspended !== undefined) return this.hold(chunk.subarray(0, length))
    this.frames.push(chunk, this.stream.reusesChunks, length)
    if (this.throttle === undefined) this.run()
    else this.runThrottled(this.throttle, length)
  }

  /** Handles a chunk, then does not read for as long as the client is over its rate. */
  private runThrottled(throttle: Throttle, bytes: number): void {
    const before = this.publishesReceived
    this.run()
    const now = this.broker.now()
    const wait = throttle.take(this.publishesReceived - before, bytes, now)
    if (wait === 0 || this.closed) return
    const { rateTimeout } = this.broker.limits
    if (rateTimeout > 0 && now + wait - throttle.overSince > rateTimeout * 1000) {
      return this.disconnect(0x96, 'message rate too high')
    }
    this.throttled = true
    this.stream.pause()
    setTimeout(() => {
      this.throttled = false
      this.resumeReading()
    }, wait).unref()
  }

  private resumeReading(): void {
    if (this.closed || this.paused || this.throttled || this.suspended !== undefined) return
    this.stream.resume()
  }

  onDrain(): void {
    this.output.blocked = false
    this.blockedSince = 0
    if (this.closed) return
    if (this.output.empty) {
      if (this.pumpAgain) this.pump()
    } else this.flush()
    if (this.paused && !this.output.blocked) {
      this.paused = false
      this.resumeReading()
    }
  }

  /** Goes on with what waits for this client. */
  protected override pump(): void {
    const { session, broker } = this
    this.pumpAgain = this.hasRoom = false
    if (session?.connection !== this) return
    session.pump(broker.now())
    broker.retained.pump(this)
  }

  protected override delivered(delivery: Delivery): void {
    this.broker.delivered(this, delivery)
  }

  onClose(error: Error | undefined): void {
    if (!this.closed) this.finish(error?.message ?? 'connection closed by the client')
    this.broker.forget(this)
  }

  /** Handles packets until there are no more, or one has to be awaited. */
  private run(): void {
    const { frames } = this
    try {
      while (!this.closed && frames.next()) {
        this.packetsReceived++
        const first = frames.bytes[frames.start]!
        if (first >> 4 === 3 && this.session !== undefined) handlePublish(this, first)
        else if (first !== 0x40 || this.session === undefined || !handlePlainPuback(this, this.session)) {
          checkFrame(this, first)
          if (keepsBytes(first)) frames.own()
          if (!this.closed) handlePacket(this, this.decode(first))
        }
        if (this.suspended !== undefined) break
      }
      if (this.hasRoom && !this.closed) this.pump()
      if (frames.midPacket && this.suspended === undefined && !this.closed) {
        checkFirstByte(this, frames.begun)
      }
    } catch (error) {
      this.fail(error)
    }
  }

  /** Decodes the current frame. */
  decode(first: number): Packet {
    const { frames } = this
    const reader = this.broker.reader
    reader.reset(frames.bytes, frames.bodyStart, frames.end)
    return decodeBody(reader, first, this.protocolVersion)
  }

  /** Handles nothing more of this client until `work` is done; a rejection fails the connection. */
  suspend(work: Promise<void>): void {
    this.frames.own()
    this.suspended = work
    this.stream.pause()
    work.then(
      () => {
        // Work may end with other work that has to be awaited.
        if (this.suspended === work) this.continue()
      },
      (error: unknown) => this.fail(error),
    )
  }

  /** What the client may do is decided anew. */
  forgetPermissions(): void {
    this.topicTable = undefined
    this.mountedTable = undefined
  }

  /** The client as hooks see it. */
  get hookClient(): HookClient {
    const { clientId, protocolVersion } = this
    const { remoteAddress } = this.stream
    return { clientId, username: this.session?.username, remoteAddress, protocolVersion }
  }

  /** A client that does not take its acknowledgements is not read from until it does. */
  protected override pauseWhenBehind(): void {
    if (this.paused || this.output.backlog < READ_PAUSE) return
    this.paused = true
    this.stream.pause()
  }

  private continue(): void {
    this.suspended = undefined
    if (this.closed) return
    this.run()
    while (this.suspended === undefined && this.held !== undefined && !this.closed) {
      const chunk = this.held.shift()
      if (chunk === undefined) {
        this.held = undefined
        break
      }
      this.frames.push(chunk)
      this.run()
    }
    this.resumeReading()
  }

  private hold(chunk: Uint8Array): void {
    this.held ??= []
    this.held.push(this.stream.reusesChunks ? new Uint8Array(chunk) : chunk)
  }

  /** Ends the connection for an error: in 5.0 with the DISCONNECT that names it. */
  fail(error: unknown): void {
    if (!this.closed) endForFault(this, error)
  }

  /** Ends the connection from our side; in 5.0 says why. The will is published. */
  disconnect(reasonCode: ReasonCode, why?: string): void {
    if (this.closed) return
    if (this.protocolVersion === 5 && this.session !== undefined) {
      const wanted = why !== undefined && this.broker.options.reasonStrings === true
      this.send({ type: 'DISCONNECT', reasonCode, properties: wanted ? { reasonString: why } : undefined })
    }
    this.finish(why ?? `disconnected by the broker (0x${reasonCode.toString(16)})`)
  }

  /** Looks whether the client has been silent, or has taken nothing, for too long. */
  checkTime(now: number): void {
    if (this.closed) return
    const { limits } = this.broker
    if (this.session === undefined) {
      if (now - this.connectedAt >= limits.connectTimeout * 1000) this.destroy('no CONNECT in time')
      return
    }
    if (this.isLocal) return
    if (now >= this.validUntil) return this.disconnect(0xa0, 'its login has expired')
    // One and a half times keep alive [MQTT-3.1.2-22].
    if (this.keepAlive > 0 && now - this.lastReceived >= this.keepAlive * 1500) {
      return this.disconnect(0x8d, 'keep alive timeout')
    }
    if (this.blockedSince !== 0 && now - this.blockedSince >= limits.slowReceiverTimeout * 1000) {
      this.destroy('the client has taken nothing for too long')
    }
  }

  /** Closes after what is written, and settles session and will. */
  finish(why: string): void {
    this.over(why, false)
  }

  /** The client has said DISCONNECT. */
  leave(): void {
    this.over('disconnected by the client', true)
  }

  private over(why: string, isFarewell: boolean): void {
    if (this.closed) return
    this.closed = true
    this.output.flushAll()
    this.output.discard()
    const { stream } = this
    if (isFarewell && stream.leave !== undefined) stream.leave()
    else stream.end()
    this.broker.connectionEnded(this, why)
  }

  /** Closes at once, without a word. */
  destroy(why: string): void {
    if (this.closed) return
    this.closed = true
    this.output.discard()
    this.stream.destroy()
    this.broker.connectionEnded(this, why)
  }
}

/** Says whether what is decoded from a packet may point into its bytes: not for acknowledgements and pings. */
function keepsBytes(first: number): boolean {
  const type = first >> 4
  return type < 4 || (type > 7 && type !== 12)
}
