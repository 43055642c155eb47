import { deviceTopics } from '@pipit/device'
import { type Command, InvalidArgumentError } from 'commander'
import { subcommand, whole, withEnvironment } from './command-line.ts'
import { addDeviceConnection, type DeviceConnection, readDeviceConnection } from './device-connection.ts'
import { CLIENT_VARIABLES } from './endpoint.ts'
import { leave } from './leave.ts'
import { connectLight } from './light.ts'
import { address } from './listen.ts'
import { untilSignal } from './signals.ts'
import { lightView } from './terminal.ts'

interface LedOptions extends DeviceConnection {
  readonly homeAssistant?: string
  readonly powerLimit?: number
}

export function led(): Command {
  const command = subcommand('led', 'An RGBW light in the terminal, as an ESP32 would have it.')
  addDeviceConnection(command)
    .option(
      '--home-assistant <id>',
      'announce it to Home Assistant as the device of this identifier',
      deviceId,
    )
    .option('--power-limit <mA>', 'turn all channels down where they would draw more', whole(1, 100_000))
  return withEnvironment(command.addHelpText('after', AFTER), CLIENT_VARIABLES).action(runLed)
}

function deviceId(text: string): string {
  if (/^[a-zA-Z0-9_-]+$/.test(text)) return text
  throw new InvalidArgumentError('It takes letters, digits, _ and -.')
}

const AFTER = `
It obeys PREFIX/led/control, and says what it is on PREFIX/led/state (retained), what was wrong with a command
on PREFIX/led/error, and online or offline on PREFIX/status (retained). Commands:
  {"action":"set_color","r":255,"g":0,"b":0,"w":0}      each 0 to 255, all four
  {"action":"on"}  {"action":"off"}  {"action":"toggle"}
  {"action":"set_brightness","brightness":128}          0 to 255
  {"action":"blink"}  {"action":"rainbow"}              "duration_ms": 100 to 600000, optional
  {"action":"fade"}                                     breathes; with r, g, b and w it goes to that colour
  {"action":"effect","effect":"candle"}                 or pulse, strobe, color_wheel, the above, none
  {"action":"update","r":9,"brightness":80}             changes what it names: on, r, g, b, w, brightness,
                                                        color_temp_kelvin, effect, flash_ms
Slowly with "transition_ms": set_color, on, off, toggle, set_brightness, update. With --home-assistant it obeys
PREFIX/led/ha/set in Home Assistant's JSON schema too.`

async function runLed(given: LedOptions): Promise<void> {
  const ended = untilSignal()
  const endpoint = readDeviceConnection(given)
  const { prefix, homeAssistant, powerLimit } = given
  const view = lightView(process.stdout, prefix)
  try {
    const light = await connectLight(endpoint, prefix, view, { homeAssistant, powerLimit })
    const where = address(endpoint.target.host, endpoint.target.port)
    view.note(`light: connected to ${where}; tell it on ${deviceTopics(prefix).control}`)
    await Promise.race([ended, light.light.done])
    await light.stop()
  } finally {
    view.end()
  }
  await leave(0)
}
