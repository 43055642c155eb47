/** What the broker said of a message on its way; microseconds of the clock it names. */
export interface BrokerTimes {
  readonly clock: string
  readonly received: number
  readonly routed: number
  readonly written: number
  readonly receivers: number
}

/** What the device said of it. */
export interface DeviceTimes {
  readonly clock: string
  readonly received: number
  readonly updated: number
  /** Why the command was refused. */
  readonly refused?: string
}

/** What is known of one command; microseconds of our clock, where nothing else is said. */
export interface Observed {
  readonly clock: string
  readonly version: string
  readonly called: number
  /** QoS 1: the broker has it. */
  readonly acknowledged?: number
  /** The state came back to us. */
  readonly stateSeen?: number
  readonly broker?: BrokerTimes
  readonly device?: DeviceTimes
}

/** A part of the way; microseconds, from the publisher's call on. */
export interface Stage {
  readonly name: string
  readonly start: number
  readonly length: number
}

export interface Timeline {
  readonly stages: readonly Stage[]
  /** What is not known, and why. */
  readonly missing: readonly string[]
}

/** Lays out what is known of a command's way. Times of a clock that is not ours cannot stand beside ours: of those
 *  only the time between two of them is told, and what the round trip leaves for them. */
export function timelineOf(observed: Observed): Timeline {
  const { called, acknowledged, stateSeen, broker, device } = observed
  const stages: Stage[] = []
  const missing: string[] = []
  let last = { at: called, where: 'publish() called' }
  const go = (where: string, at: number): void => {
    // Who writes may be stopped before it looks at the clock, and be overtaken by who reads.
    const reached = Math.max(at, last.at)
    stages.push({ name: `${last.where} → ${where}`, start: last.at - called, length: reached - last.at })
    last = { at: reached, where }
  }
  if (broker?.clock === observed.clock) {
    go('broker received', broker.received)
    go('routed', broker.routed)
    go('written', broker.written)
  } else missing.push(...brokerMissing(observed))
  if (device?.clock === observed.clock) {
    go('device callback', device.received)
    go('light updated', device.updated)
  } else missing.push(...deviceMissing(observed))
  if (stateSeen === undefined) missing.push('the state did not come back: nothing on the state topic')
  else go('state back here', stateSeen)
  if (acknowledged !== undefined) {
    stages.push({ name: 'publish() called → acknowledged', start: 0, length: acknowledged - called })
  }
  return { stages, missing }
}

function brokerMissing({ version, broker, called, stateSeen }: Observed): string[] {
  const what = 'broker: receive, route and write'
  if (version !== '5.0')
    return [`${what}: MQTT ${version} has no User Properties that a message could be followed by`]
  if (broker === undefined) {
    return [
      `${what}: this broker does not tell (a Pipit broker does with trace: true, and in pipit up --demo)`,
    ]
  }
  return [
    `${what}: its clock is not ours (another machine); it had the message for ${span(broker.written - broker.received)}${within(called, stateSeen)}`,
  ]
}

function deviceMissing({ version, device, called, stateSeen }: Observed): string[] {
  const what = 'device: callback and update'
  if (version !== '5.0') return [`${what}: MQTT ${version} has no User Properties that it could be asked by`]
  if (device === undefined) return [`${what}: no device answered on the trace topic`]
  return [
    `${what}: its clock is not ours (another machine); it took ${span(device.updated - device.received)}${within(called, stateSeen)}`,
  ]
}

function within(called: number, stateSeen: number | undefined): string {
  return stateSeen === undefined ? '' : ` of a round trip of ${span(stateSeen - called)}`
}

/** Microseconds for people: `412 µs`. */
export function span(micros: number): string {
  return `${Math.round(micros).toLocaleString('en')} µs`
}
