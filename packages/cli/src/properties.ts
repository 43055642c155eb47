import {
  type ConnectProperties,
  PROPERTIES,
  type PropertyPlace,
  type PublishProperties,
  type UserProperty,
  type WillProperties,
} from '@pipit/protocol'
import { UsageError } from './command-line.ts'

/** What `-D` gave, sorted by the packet it goes into. */
export interface GivenProperties {
  readonly connect: ConnectProperties
  readonly publish: PublishProperties
  readonly will: WillProperties
  readonly subscribe: { readonly userProperties?: readonly UserProperty[] }
  readonly unsubscribe: { readonly userProperties?: readonly UserProperty[] }
  readonly disconnect: {
    readonly sessionExpiryInterval?: number
    readonly userProperties?: readonly UserProperty[]
  }
  /** Whether there was any: properties need MQTT 5.0. */
  readonly any: boolean
}

const PLACES = ['connect', 'publish', 'will', 'subscribe', 'unsubscribe', 'disconnect'] as const
/** A packet that takes properties, or the will. */
export type PropertyPacket = (typeof PLACES)[number]

/** By the names of mosquitto_pub(1). Subscription Identifiers are the client's own: it tells by them which
 *  subscription a message is for. */
const names = new Map(
  PROPERTIES.filter((row) => row.name !== 'subscriptionIdentifiers').map((row) => [nameOf(row.name), row]),
)

function nameOf(property: string): string {
  if (property === 'userProperties') return 'user-property'
  return property.replaceAll(/[A-Z]+/g, (capitals) => `-${capitals.toLowerCase()}`)
}

/** Reads the values of `-D`: packet, property and value, as mosquitto_pub(1) describes them.
 *  @param given one list of words for each `-D`
 *  @param allowed packets that the command sends
 *  @throws UsageError naming the property and what it takes */
export function readProperties(
  given: readonly (readonly string[])[],
  allowed: readonly PropertyPacket[] = PLACES,
): GivenProperties {
  const bags: Record<PropertyPacket, Record<string, unknown>> = {
    connect: {},
    publish: {},
    will: {},
    subscribe: {},
    unsubscribe: {},
    disconnect: {},
  }
  for (const words of given) {
    const [packet = '', name = '', ...values] = words
    const place = allowed.find((each) => each === packet.toLowerCase())
    if (place === undefined)
      throw new UsageError(
        `-D ${words.join(' ')}: ${packet === '' ? 'the packet is missing' : `no properties for ${packet}`}; it takes ${allowed.join(', ')}`,
      )
    setProperty(bags[place], place, name, values)
  }
  return { ...bags, any: given.length > 0 }
}

function setProperty(
  bag: Record<string, unknown>,
  place: PropertyPacket,
  name: string,
  values: readonly string[],
): void {
  const row = names.get(name)
  const packet = place.toUpperCase() as PropertyPlace
  if (row === undefined || !(row.in as readonly string[]).includes(packet)) {
    const known = [...names]
      .filter(([, each]) => (each.in as readonly string[]).includes(packet))
      .map(([each]) => each)
    throw new UsageError(
      `-D ${place}: it has no property ${JSON.stringify(name)}; it takes ${known.join(', ')}`,
    )
  }
  const wanted = row.type === 'pair' ? 2 : 1
  if (values.length < wanted) {
    throw new UsageError(
      `-D ${place} ${name}: ${wanted === 2 ? 'it takes a name and a value' : 'the value is missing'}`,
    )
  }
  const [first = '', second = ''] = values
  if (row.type === 'pair') bag[row.name] = [...((bag[row.name] as UserProperty[]) ?? []), [first, second]]
  else if (bag[row.name] !== undefined) throw new UsageError(`-D ${place} ${name} is given twice`)
  else if (row.type === 'string') bag[row.name] = first
  else if (row.type === 'binary') bag[row.name] = new TextEncoder().encode(first)
  else bag[row.name] = number(place, name, first, 'nonZero' in row ? 1 : 0, highest(row))
}

function highest(row: (typeof PROPERTIES)[number]): number {
  if ('boolean' in row) return 1
  return row.type === 'uint16' ? 65535 : 4294967295
}

function number(place: string, name: string, text: string, lowest: number, most: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= lowest && value <= most) return value
  throw new UsageError(
    `-D ${place} ${name} is ${JSON.stringify(text)}; it takes a whole number from ${lowest} to ${most}`,
  )
}
