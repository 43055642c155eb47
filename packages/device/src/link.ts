/** A message as a device receives it. */
export interface DeviceMessage {
  readonly topic: string
  readonly payload: Uint8Array
  /** What came with it in MQTT 5.0. */
  readonly properties?: { readonly userProperties?: readonly (readonly [name: string, value: string])[] }
}

export interface DevicePublishOptions {
  readonly qos?: 0 | 1 | 2
  readonly retain?: boolean
}

/** What a device needs of its connection: `MqttClient` of @pipit/client has it, and so has a simulation. */
export interface DeviceLink {
  publish(topic: string, payload: string | Uint8Array, options?: DevicePublishOptions): Promise<unknown>
  subscribe(filter: string, options?: { readonly qos?: 0 | 1 | 2 }): Promise<AsyncIterable<DeviceMessage>>
  /** Calls back each time a connection stands; returns what takes that back. */
  onConnect(handler: () => void): () => void
}

/** Topics of a device whose own begin with `prefix`.
 *  @throws RangeError when the prefix cannot stand in a topic */
export function deviceTopics(prefix: string = DEFAULT_PREFIX) {
  if (prefix === '' || /[#+\0]/.test(prefix) || prefix.endsWith('/')) {
    throw new RangeError(
      `prefix is ${JSON.stringify(prefix)}; it takes a topic without # and +, such as ${DEFAULT_PREFIX}`,
    )
  }
  return {
    status: `${prefix}/status`,
    control: `${prefix}/led/control`,
    state: `${prefix}/led/state`,
    error: `${prefix}/led/error`,
    temperature: `${prefix}/temperature`,
  } as const
}

export const DEFAULT_PREFIX = 'sensors/esp32-s3'

/** What a device hands to `connect` or `open`, so that the broker says `offline` when it is gone. */
export function statusWill(prefix?: string) {
  return { topic: deviceTopics(prefix).status, payload: 'offline', qos: 1, retain: true } as const
}
