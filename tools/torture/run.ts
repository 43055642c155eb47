// `npm run torture -- NAME ARGS`: runs tools/torture/NAME.ts in a process of its own; without a name, lists them.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const [name = '', ...args] = process.argv.slice(2)
const script = join(import.meta.dirname, `${name}.main.ts`)
if (name !== '' && existsSync(script)) {
  const { status } = spawnSync(process.execPath, ['--conditions=@pipit/source', script, ...args], {
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
} else {
  const names = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.main.ts'))
  console.error(
    `npm run torture -- NAME, where NAME is one of: ${names.map((file) => file.slice(0, -8)).join(', ')}`,
  )
  process.exitCode = 1
}
