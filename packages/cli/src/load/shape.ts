import type { PublishProperties, QoS } from '@pipit/protocol'
import type { Target } from './link.ts'

/** Who sends to whom: each to a receiver of its own; to many; many to one; many to a shared subscription. */
export type Topology = 'pairs' | 'fan-out' | 'fan-in' | 'shared'

export interface Load {
  readonly target: Target
  readonly topology: Topology
  readonly publishers: number
  /** Receivers: of each publisher's messages (`fan-out`), or members of the shared subscription (`shared`). */
  readonly subscribers: number
  readonly qos: QoS
  /** Bytes of a payload, 16 or more. */
  readonly size: number
  /** Most messages of a publisher that may be on their way to its slowest receiver. */
  readonly inFlight: number
  /** Most messages of a publisher without acknowledgement, at QoS 1 and 2. */
  readonly window: number
  /** Messages a second, of all publishers together; absent: as many as go. */
  readonly rate?: number
  readonly warmUpSeconds: number
  readonly seconds: number
  /** Instead of a time: messages for each publisher to send. */
  readonly messages?: number
  /** Sessions that outlive their connections. */
  readonly persistent?: boolean
  readonly properties?: PublishProperties
  readonly alias?: boolean
  /** What topics and client identifiers begin with. */
  readonly prefix: string
}

/** What was seen of a load: in one process, or of several added up. */
export interface LoadResult {
  /** Messages delivered while it was measured (in all, when `messages` was given). */
  readonly delivered: number
  readonly published: number
  readonly seconds: number
  readonly generatorCpuSeconds: number
  /** From publisher to receiver, microseconds, in the buckets of a Histogram. */
  readonly latencies: readonly number[]
  /** From message to the end of its handshake, at QoS 1 and 2, likewise. */
  readonly acknowledgements: readonly number[]
  /** These are counted over the whole run; anything but 0 is a fault. */
  readonly lost: number
  /** Came twice, or after a later one. */
  readonly repeated: number
  readonly strange: number
  readonly unacknowledged: number
}

/** What a generator writes, one line of JSON each. */
export type FromGenerator =
  | { readonly kind: 'ready' }
  /** The warm-up is over; what comes until `over` is measured. */
  | { readonly kind: 'begun' | 'over' }
  | { readonly kind: 'progress'; readonly delivered: number }
  | { readonly kind: 'result'; readonly result: LoadResult }
  | { readonly kind: 'failed'; readonly why: string; readonly code?: string }

/** The parts of a load for so many processes: whole flows, with their receivers, stay in one. */
export function split(load: Load, processes: number): Load[] {
  const divisible = load.topology === 'pairs' || load.topology === 'fan-out'
  const parts = divisible ? Math.max(1, Math.min(processes, load.publishers)) : 1
  return Array.from({ length: parts }, (_, i) => {
    const publishers = Math.floor(load.publishers / parts) + (i < load.publishers % parts ? 1 : 0)
    const rate = load.rate === undefined ? undefined : (load.rate * publishers) / load.publishers
    return { ...load, publishers, rate, prefix: `${load.prefix}/${i}` }
  })
}
