import { connect, type MqttClient } from '@pipit/client'
import {
  type Announced,
  announce,
  LightCommandError,
  type RunningLight,
  runLight,
  statusWill,
} from '@pipit/device'
import { machineClock } from '@pipit/device/node'
import type { DeviceEndpoint } from './device-connection.ts'
import { connectFault } from './faults.ts'
import { address } from './listen.ts'
import type { LightView } from './terminal.ts'

export interface ConnectedLight {
  readonly client: MqttClient
  readonly light: RunningLight
  /** Says `offline` and closes the connection. */
  stop(): Promise<void>
}

/** What a light is besides its topics. */
export interface LightTraits {
  /** Its identifier in Home Assistant, where it is announced under it. */
  readonly homeAssistant?: string
  /** Milliamperes that it may draw. */
  readonly powerLimit?: number
}

/** Connects a light and shows it; it connects again whenever the connection is lost.
 *  @throws CommandError when the first connection fails */
export async function connectLight(
  { target, url, options }: DeviceEndpoint,
  prefix: string,
  view: LightView,
  { homeAssistant, powerLimit }: LightTraits = {},
): Promise<ConnectedLight> {
  const where = address(target.host, target.port)
  const client = await connect(url, {
    ...options,
    will: statusWill(prefix),
    reconnect: { minimumDelayMs: 100, maximumDelayMs: 5_000 },
  }).catch((error: unknown) => {
    throw connectFault(error, target)
  })
  let stopping = false
  client.onDisconnect((error) => {
    if (!stopping) view.note(`light: connection to ${where} lost (${error.message}); connecting again`)
  })
  client.onConnect(() => view.note(`light: connected to ${where} again`))
  const onFault = (error: Error): void => {
    const what = error instanceof LightCommandError ? 'light: refused: ' : 'light: '
    if (!stopping) view.note(`${what}${error.message}`)
  }
  const light = await runLight(client, {
    prefix,
    homeAssistant: homeAssistant !== undefined,
    output: powerLimit === undefined ? {} : { power: { limitMilliamperes: powerLimit } },
    traceClock: machineClock(),
    onShow: (colour, state, { milliamperes, isLimited }) => {
      view.show(colour, state)
      if (powerLimit !== undefined)
        view.beside(`${milliamperes.toFixed(0)} mA${isLimited ? ', limited' : ''}`)
    },
    onFault,
  })
  let announced: Announced | undefined
  if (homeAssistant !== undefined) {
    const description = {
      id: homeAssistant,
      name: homeAssistant,
      prefix,
      light: true,
      model: 'pipit device led',
    }
    announced = await announce(client, description, { onFault })
  }
  return {
    client,
    light,
    async stop() {
      stopping = true
      announced?.stop()
      await light.stop()
      await client.close()
    },
  }
}
