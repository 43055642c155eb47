import { deviceTopics } from '@pipit/device'
import type { Command } from 'commander'
import { subcommand, withEnvironment } from './command-line.ts'
import { addDeviceConnection, type DeviceConnection, readDeviceConnection } from './device-connection.ts'
import { leave } from './leave.ts'
import { connectLight } from './light.ts'
import { address } from './listen.ts'
import { untilSignal } from './signals.ts'
import { lightView } from './terminal.ts'

export function led(): Command {
  const command = subcommand('led', 'An RGBW light in the terminal, as an ESP32 would have it.')
  return withEnvironment(addDeviceConnection(command).addHelpText('after', AFTER)).action(runLed)
}

const AFTER = `
It obeys PREFIX/led/control, and says what it is on PREFIX/led/state (retained), what was wrong with a command
on PREFIX/led/error, and online or offline on PREFIX/status (retained). Commands:
  {"action":"set_color","r":255,"g":0,"b":0,"w":0}      each 0 to 255, all four
  {"action":"on"}  {"action":"off"}
  {"action":"set_brightness","brightness":128}          0 to 255
  {"action":"blink"}  {"action":"rainbow"}              "duration_ms": 100 to 600000, optional
  {"action":"fade"}                                     breathes; with r, g, b and w it goes to that colour`

async function runLed(given: DeviceConnection): Promise<void> {
  const ended = untilSignal()
  const { target, options } = readDeviceConnection(given)
  const { prefix } = given
  const view = lightView(process.stdout, prefix)
  try {
    const light = await connectLight(target, prefix, view, options)
    const where = address(target.host, target.port)
    view.note(`light: connected to ${where}; tell it on ${deviceTopics(prefix).control}`)
    await Promise.race([ended, light.light.done])
    await light.stop()
  } finally {
    view.end()
  }
  await leave(0)
}
