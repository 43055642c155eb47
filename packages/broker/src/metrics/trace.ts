import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import type { UserProperty } from '@pipit/protocol'

/** The User Property by which a message is followed, and the topic on which its times are told. */
const PROPERTY = 'pipit-trace'
const TOPIC = '$SYS/broker/trace'

/** An identifier that can be a level of a topic. */
const IDENTIFIER = /^[A-Za-z0-9_-]{1,64}$/

/** Follows single messages on their way through the broker: a PUBLISH with the User Property `pipit-trace` is told of
 *  on `$SYS/broker/trace/<its value>`, once it has been written: when it was received, when its receivers were found
 *  and it had been given to them, and when the turn's bytes had been handed to the kernel. The message itself is
 *  forwarded as it came.
 *
 *  A PUBLISH without properties never gets here. */
export class Tracer {
  private readonly publish: (topic: string, payload: string) => void
  private readonly clock = clockName()

  constructor(publish: (topic: string, payload: string) => void) {
    this.publish = publish
  }

  /** Microseconds of the clock that all processes of this machine share. */
  now(): number {
    return Number(process.hrtime.bigint()) / 1000
  }

  /** A message has been given to its receivers, whose bytes leave at the end of this turn.
   *  @param received when it was taken up
   *  @param receivers subscriptions that its topic has */
  routed(
    topic: string,
    properties: readonly UserProperty[] | undefined,
    received: number,
    receivers: number,
  ): void {
    const id = properties?.find(([name]) => name === PROPERTY)?.[1]
    if (id === undefined || !IDENTIFIER.test(id)) return
    const routed = this.now()
    // Behind the write of this turn, which is scheduled by now.
    setImmediate(() => {
      const times = { id, topic, clock: this.clock, received, routed, written: this.now(), receivers }
      this.publish(`${TOPIC}/${id}`, JSON.stringify(times))
    })
  }
}

/** Names the clock of `process.hrtime`: two processes that give the same name read the same time. On Linux that is
 *  the kernel since it started, and the time namespace; elsewhere the name of the machine stands for it. */
function clockName(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${timeNamespace()}`.trim()
  } catch {
    return hostname()
  }
}

function timeNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/time')
  } catch {
    return ''
  }
}
