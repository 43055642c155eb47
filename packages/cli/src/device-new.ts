import { existsSync, realpathSync } from 'node:fs'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { subcommand, UsageError, withEnvironment } from './command-line.ts'
import { brokerUrl, targetOf } from './device-connection.ts'
import { CommandError } from './faults.ts'

interface NewGiven {
  readonly broker: string
}

const TEMPLATE = fileURLToPath(new URL('../templates/device/', import.meta.url))
/** npm takes `.gitignore` out of what it packs, so the template has it under another name. */
const FILES: readonly (readonly [from: string, to: string])[] = [
  ['package.json', 'package.json'],
  ['config.json', 'config.json'],
  ['device.js', 'device.js'],
  ['README.md', 'README.md'],
  ['gitignore', '.gitignore'],
]
/** What the project's own package needs, when it is not installed but linked. */
const PACKAGES = ['device', 'client', 'protocol'] as const

export function newProject(): Command {
  const command = subcommand('new', 'Writes a small project: a sensor that wakes, publishes and sleeps.')
    .argument('<name>', 'of the device and of its folder: small letters, digits, - and _')
    .option('--broker <url>', 'the broker in its configuration', 'mqtt://localhost:1883')
    .addHelpText('after', AFTER)
  return withEnvironment(command).action(writeProject)
}

const AFTER = `
Examples:
  pipit device new my-sensor
  pipit device new porch --broker mqtt://192.168.1.10`

async function writeProject(name: string, { broker }: NewGiven): Promise<void> {
  checkName(name)
  const { host, port } = targetOf(brokerUrl(broker))
  const folder = resolve(name)
  await makeFolder(folder, name)
  const values = { name, host, port: String(port), version: await ownVersion() }
  for (const [from, to] of FILES) {
    const text = await readFile(join(TEMPLATE, from), 'utf8')
    await writeFile(join(folder, to), filled(text, values), { flag: 'wx' })
  }
  const isLinked = await linkPackages(folder)
  console.log(`${name} is written. To run it:\n  cd ${name}${isLinked ? '' : '\n  npm install'}\n  npm start`)
  if (isLinked && !isBuilt())
    console.log('This pipit is not built yet: run `npm run build` in its folder first.')
}

/** A name is a folder, an npm package, a client identifier and a level of a topic. */
function checkName(name: string): void {
  if (/^[a-z][a-z0-9_-]{0,63}$/.test(name) && name !== 'node_modules') return
  throw new UsageError(
    `the name is ${JSON.stringify(name)}; it takes small letters, digits, - and _, begins with a letter and has 64 at most, such as my-sensor`,
  )
}

/** Makes the folder, or takes an empty one that is there. */
async function makeFolder(folder: string, name: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true })
    if ((await readdir(folder)).length === 0) return
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why = code === 'EEXIST' || code === 'ENOTDIR' ? 'there is a file of that name' : message
    throw new CommandError(`the folder ${name} cannot be made: ${why}`)
  }
  throw new CommandError(`the folder ${name} is not empty; nothing was written. Take another name`)
}

function filled(text: string, values: Readonly<Record<string, string>>): string {
  // The port is a number; in quotes the template is JSON too.
  return text
    .replaceAll('"{{port}}"', values['port'] ?? '')
    .replaceAll(/\{\{(\w+)\}\}/g, (whole, key: string) => values[key] ?? whole)
}

/** A pipit that runs from its sources' folder, not from a node_modules, gives the project its own packages.
 *  @returns whether it did */
async function linkPackages(folder: string): Promise<boolean> {
  const packages = packagesFolder()
  if (packages === undefined) return false
  const scope = join(folder, 'node_modules/@pipit')
  await mkdir(scope, { recursive: true })
  // A junction is what Windows lets everybody make.
  for (const name of PACKAGES) await symlink(join(packages, name), join(scope, name), 'junction')
  return true
}

function packagesFolder(): string | undefined {
  const own = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))))
  const packages = dirname(own)
  const isClone = !own.includes(`${sep}node_modules${sep}`)
  return isClone && PACKAGES.every((name) => existsSync(join(packages, name, 'package.json')))
    ? packages
    : undefined
}

function isBuilt(): boolean {
  return existsSync(join(packagesFolder() ?? '', 'device/dist/index.js'))
}

async function ownVersion(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
