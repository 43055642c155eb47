import type { Command } from 'commander'
import { quiet, subcommand, UsageError } from './command-line.ts'
import { fleet } from './device-fleet.ts'
import { led } from './device-led.ts'
import { newProject } from './device-new.ts'
import { sensor } from './device-sensor.ts'

export function define(): Command {
  const command = subcommand('device', 'Runs a device, or many, here and now, against any broker.').usage(
    'led|sensor|fleet|new [options]',
  )
  for (const part of [led(), sensor(), fleet(), newProject()]) command.addCommand(quiet(part))
  return command
    .helpCommand(false)
    .argument('[device]')
    .action((name: string | undefined) => {
      const said = name === undefined ? 'which device?' : `no device is called ${name};`
      throw new UsageError(`${said} there is: led, sensor, fleet, new`)
    })
}
