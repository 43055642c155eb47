/** What the topics of discovery begin with, unless Home Assistant is configured otherwise. */
export const DISCOVERY_PREFIX = 'homeassistant'

/** What a discovery topic says. */
export interface DiscoveryTopic {
  /** `light`, `sensor`…; `device`: the message is of the device form. */
  readonly component: string
  readonly nodeId: string | undefined
  readonly objectId: string
}

const NAME = /^[a-zA-Z0-9_-]+$/

/** Builds `<prefix>/<component>/[<node_id>/]<object_id>/config`.
 *  @throws RangeError when a part has other characters than letters, digits, _ and - */
export function discoveryTopic(
  { component, nodeId, objectId }: DiscoveryTopic,
  prefix = DISCOVERY_PREFIX,
): string {
  for (const part of [component, nodeId ?? '_', objectId]) {
    if (!NAME.test(part)) {
      throw new RangeError(
        `${JSON.stringify(part)} cannot stand in a discovery topic; it takes letters, digits, _ and -`,
      )
    }
  }
  return [prefix, component, ...(nodeId === undefined ? [] : [nodeId]), objectId, 'config'].join('/')
}

/** Reads a discovery topic; text that says what is wrong with one that is none. */
export function readDiscoveryTopic(topic: string, prefix = DISCOVERY_PREFIX): DiscoveryTopic | string {
  const form = `a discovery topic is ${prefix}/<component>/[<node_id>/]<object_id>/config`
  if (!topic.startsWith(`${prefix}/`)) return `the topic is ${JSON.stringify(topic)}; ${form}`
  const levels = topic.slice(prefix.length + 1).split('/')
  const [component = '', ...ids] = levels.slice(0, -1)
  const objectId = ids.at(-1)
  if (levels.at(-1) !== 'config' || objectId === undefined || ids.length > 2) {
    return `the topic is ${JSON.stringify(topic)}; ${form}`
  }
  const wrong = [component, ...ids].find((part) => !NAME.test(part))
  if (wrong !== undefined) return `the topic has ${JSON.stringify(wrong)}; it takes letters, digits, _ and -`
  return { component, nodeId: ids.length === 2 ? ids[0] : undefined, objectId }
}
