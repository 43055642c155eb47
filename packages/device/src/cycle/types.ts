import type { Clock, Random } from '../clock.ts'
import type { ConfigurationFile, ConfigurationStore } from '../configuration/store.ts'
import type { DeviceMessage, DevicePublishOptions } from '../link.ts'
import type { Traffic } from '../wire.ts'

/** How a device woke up. */
export interface Wake {
  /** Seconds since 1970 by the device's clock, right or wrong. */
  readonly now: number
  /** Seconds it was to sleep before; absent after power came. */
  readonly slept?: number
}

/** One message of a device, as it is published and kept. */
export interface OutgoingMessage {
  readonly topic: string
  readonly payload: string
  /** Default 1: it is kept until the broker has it. */
  readonly qos?: 0 | 1 | 2
  readonly retain?: boolean
}

/** What a cycle needs of its client; `DeviceClient` has it. */
export interface CycleClient {
  readonly traffic: Traffic
  readonly failure: Error | undefined
  connect(): Promise<boolean>
  publish(topic: string, message: string, options: DevicePublishOptions): Promise<unknown>
  readTopic(topic: string, waitSeconds: number): Promise<DeviceMessage | undefined>
  disconnect(options?: { readonly force?: boolean }): Promise<void>
}

/** Keeps messages of failed wakes across deep sleep. */
export interface KeptMessages {
  load(): Promise<readonly OutgoingMessage[]>
  /** Puts others in their place, whole or not at all. */
  save(messages: readonly OutgoingMessage[]): Promise<void>
}

export interface KeepOptions {
  /** The most that are kept. Default 100; 0 keeps none. */
  readonly limit?: number
  /** `newestPerTopic` (default): a newer message takes the place of an older one of its topic. `oldestFirst`: every
   *  reading, in order; the oldest give way when there are too many. */
  readonly policy?: 'newestPerTopic' | 'oldestFirst'
  /** Where; default: in the configuration file, as `kept_messages`. */
  readonly store?: KeptMessages
}

export interface CycleOptions<Sample> {
  /** Begins the cycle: what the device knows of time. */
  readonly wake: () => Wake
  /** Measures, before the radio is on. */
  readonly read: (file: ConfigurationFile) => Sample | Promise<Sample>
  /** What is to be said of it. */
  readonly publish: (sample: Sample, file: ConfigurationFile) => readonly OutgoingMessage[]
  /** The configuration file: the connection, the reconnect policy and its state. */
  readonly config: ConfigurationStore
  /** Ends the cycle; the device sleeps. */
  readonly sleep: (seconds: number) => void | Promise<void>
  /** Seconds to sleep; default: the file's `update_interval`, or 600. */
  readonly sleepSeconds?: number
  readonly keep?: KeepOptions
  /** Makes the client of this wake; default: a `DeviceClient` as the file says. */
  readonly client?: (file: ConfigurationFile) => CycleClient
  /** How long a connection may take to be done with; default 30000. */
  readonly limitMs?: number
  /** The program's own check of a configuration that was received; what it throws refuses it. */
  readonly checkConfig?: (file: ConfigurationFile) => void
  /** Measures how long the radio is on. */
  readonly clock?: Clock
  /** Spreads the attempts of a fleet, as far as the file's `reconnect.spread` says. */
  readonly random?: Random
}

/** What became of one cycle. */
export interface CycleReport {
  /** `sent`: all of it; `partly`: the connection ended before; `kept`: no connection; `waited`: this wake was not to
   *  try; `disabled`: the file says `enabled: false`; `failed`: there is no configuration that can be used. */
  readonly outcome: 'sent' | 'partly' | 'kept' | 'waited' | 'disabled' | 'failed'
  /** Connections tried. */
  readonly attempts: number
  /** Messages measured now, sent now, kept for later, and given up: refused, replaced by a newer one of their topic,
   *  or without room. */
  readonly measured: number
  readonly sent: number
  readonly kept: number
  readonly dropped: number
  /** What became of a configuration update. */
  readonly configuration: 'none' | 'applied' | 'ignored' | 'refused'
  /** Milliseconds awake until sleeping, and with the radio on. */
  readonly awakeMs: number
  readonly radioOnMs: number
  /** MQTT's bytes. */
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly sleepSeconds: number
  /** What went wrong, for a person. */
  readonly faults: readonly string[]
}
