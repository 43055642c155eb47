import { type ClientOptions, connect, type MqttClient } from '@pipit/client'
import { LightCommandError, type RunningLight, runLight, statusWill } from '@pipit/device'
import { machineClock } from '@pipit/device/node'
import { connectFault, type Target } from './faults.ts'
import { address } from './listen.ts'
import type { LightView } from './terminal.ts'

export interface ConnectedLight {
  readonly client: MqttClient
  readonly light: RunningLight
  /** Says `offline` and closes the connection. */
  stop(): Promise<void>
}

/** Connects a light and shows it; it connects again whenever the connection is lost.
 *  @throws CommandError when the first connection fails */
export async function connectLight(
  target: Target,
  prefix: string,
  view: LightView,
  options: ClientOptions = {},
): Promise<ConnectedLight> {
  const where = address(target.host, target.port)
  const client = await connect(`mqtt://${where}`, {
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
  const light = await runLight(client, {
    prefix,
    traceClock: machineClock(),
    onShow: (colour, state) => view.show(colour, state),
    onFault: (error) => {
      const what = error instanceof LightCommandError ? 'light: refused: ' : 'light: '
      if (!stopping) view.note(`${what}${error.message}`)
    },
  })
  return {
    client,
    light,
    async stop() {
      stopping = true
      await light.stop()
      await client.close()
    },
  }
}
