import {
  encodedLength,
  type Packet,
  ProtocolError,
  type Suback,
  type Subscribe,
  type Unsuback,
  type Unsubscribe,
} from '@pipit/protocol'
import { PacketTooLargeError } from './errors.ts'
import type { Link } from './link.ts'
import { Operation } from './operation.ts'
import type { Outbox } from './outbox.ts'

/** The answer to a request. */
export type Answer = Suback | Unsuback

/** A SUBSCRIBE or UNSUBSCRIBE that waits for its answer, over several connections if need be. */
export class Request extends Operation<Answer> {
  /** Made anew for each connection: what may be sent depends on the server. Throws when it cannot be sent. */
  readonly packetFor: (link: Link, packetId: number) => Subscribe | Unsubscribe
  readonly type: 'SUBSCRIBE' | 'UNSUBSCRIBE'
  /** How many filters it asks about. */
  readonly expected: number
  packetId = 0

  constructor(
    type: 'SUBSCRIBE' | 'UNSUBSCRIBE',
    expected: number,
    packetFor: (link: Link, packetId: number) => Subscribe | Unsubscribe,
  ) {
    super()
    this.type = type
    this.expected = expected
    this.packetFor = packetFor
  }
}

/** Requests in their order: those sent, and those that wait for a connection. */
export class Requests {
  private readonly outbox: Outbox
  private readonly pending = new Set<Request>()
  private readonly sent = new Map<number, Request>()
  private link: Link | undefined = undefined
  private idle: (() => void)[] = []

  constructor(outbox: Outbox) {
    this.outbox = outbox
  }

  send(request: Request): Promise<Answer> {
    this.pending.add(request)
    if (this.link !== undefined) this.write(request, this.link)
    return request.promise
  }

  attach(link: Link): void {
    this.link = link
    for (const request of this.pending) {
      if (request.settled) this.pending.delete(request)
      else this.write(request, link)
    }
    this.checkIdle()
  }

  /** Identifiers of requests end with their connection. */
  detach(): void {
    this.link = undefined
    for (const packetId of this.sent.keys()) this.outbox.release(packetId)
    this.sent.clear()
  }

  /** Takes SUBACK or UNSUBACK. An UNSUBACK that nobody waits for changes nothing and is ignored; a SUBACK would
   *  mean a subscription that we did not ask for.
   *  @throws ProtocolError for an answer to something else [MQTT-2.2.1-6], or of another length [MQTT-3.9.3-1] */
  answer(packet: Answer): void {
    const request = this.sent.get(packet.packetId)
    if (this.link === undefined) return
    if (request === undefined) {
      if (packet.type === 'UNSUBACK') return
      throw new ProtocolError(`SUBACK: Packet Identifier ${packet.packetId}; no SUBSCRIBE has it`)
    }
    if (!answers(packet, request)) {
      throw new ProtocolError(`${packet.type}: Packet Identifier ${packet.packetId}; it is a ${request.type}`)
    }
    const count = packet.reasonCodes.length
    // MQTT 3 has no codes in UNSUBACK, and there are servers of 5.0 that leave them out.
    const silent = packet.type === 'UNSUBACK' && count === 0
    if (!silent && count !== request.expected) {
      throw new ProtocolError(`${packet.type}: ${count} reason codes; ${request.expected} filters were sent`)
    }
    this.sent.delete(packet.packetId)
    this.outbox.release(packet.packetId)
    this.pending.delete(request)
    request.succeed(packet)
    this.checkIdle()
    this.outbox.checkIdle()
  }

  fail(error: unknown): void {
    for (const request of this.pending) request.fail(error)
    this.pending.clear()
    this.sent.clear()
    this.checkIdle()
  }

  /** One that the caller no longer waits for, and that was not sent, is not sent at all. */
  giveUp(request: Request): void {
    if (request.packetId === 0) this.pending.delete(request)
    this.checkIdle()
  }

  whenIdle(): Promise<void> {
    return new Promise((resolve) => {
      this.idle.push(resolve)
      this.checkIdle()
    })
  }

  private write(request: Request, link: Link): void {
    let packetId = 0
    let packet: Packet
    try {
      packetId = this.outbox.reserve()
      packet = request.packetFor(link, packetId)
      checkSize(packet, link)
    } catch (error) {
      this.outbox.release(packetId)
      this.pending.delete(request)
      request.fail(error)
      return
    }
    request.packetId = packetId
    this.sent.set(packetId, request)
    link.send(packet)
  }

  private checkIdle(): void {
    if (this.pending.size > 0 || this.idle.length === 0) return
    for (const resolve of this.idle.splice(0)) resolve()
  }
}

function answers(packet: Answer, request: Request): boolean {
  return (packet.type === 'SUBACK') === (request.type === 'SUBSCRIBE')
}

/** @throws PacketTooLargeError for what the server announced that it does not take [MQTT-3.2.2-15] */
function checkSize(packet: Packet, link: Link): void {
  if (link.maximumPacketSize === Number.POSITIVE_INFINITY) return
  const length = encodedLength(packet, link.version)
  if (length > link.maximumPacketSize) {
    throw new PacketTooLargeError(
      `${packet.type} takes ${length} bytes; the server takes ${link.maximumPacketSize}`,
    )
  }
}
