import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { hashPassword, type PasswordForm, parsePasswordFile, verifyPassword, withUser } from '@pipit/broker'
import { Command, Option } from 'commander'
import { quiet, subcommand, withEnvironment } from './command-line.ts'
import { CommandError } from './faults.ts'
import { fileFault } from './named-file.ts'

interface FileOptions {
  readonly data: string
  readonly file?: string
}

interface AddOptions extends FileOptions {
  readonly password?: string
  readonly generate?: true
  readonly hash: PasswordForm
}

/** The file's name below the data folder: `pipit broker` looks there. */
export const PASSWORDS = 'passwords'

export function define(): Command {
  const command = quiet(new Command('passwd'))
    .description("Looks after a password file: ours, or Mosquitto's.")
    .helpOption('--help', 'show this help')
    .helpCommand(false)
    .action(() => command.help())
  command.addCommand(
    withHash(
      withFile('add', 'Adds a user, or changes its password. A running broker takes it within a second.'),
    )
      .argument('<user>', 'the user name')
      .option('--generate', 'make a password and print it')
      .action(add),
  )
  command.addCommand(
    withFile('delete', 'Removes a user; its connections end.')
      .argument('<user>', 'the user name')
      .action(remove),
  )
  command.addCommand(withFile('list', 'Prints the users, and how each password is kept.').action(list))
  command.addCommand(
    withFile('check', "Says whether a password is a user's; ends with 1 when it is not.")
      .argument('<user>', 'the user name')
      .option('-P, --password <password>', 'the password (default: it is asked for)')
      .action(check),
  )
  command.addCommand(
    withHash(withFile('hash', 'Hashes passwords that stand in the file as they are.'), false).action(hash),
  )
  return command
}

function withFile(name: string, description: string): Command {
  return withEnvironment(
    subcommand(name, description)
      .option('--data <folder>', 'the data folder', './pipit-data')
      .option('-f, --file <file>', `the password file (default: ${PASSWORDS} in the data folder)`),
  )
}

function withHash(command: Command, takesPassword = true): Command {
  if (takesPassword) command.option('-P, --password <password>', 'the password (default: it is asked for)')
  return command.addOption(
    new Option('--hash <form>', 'how it is kept; Mosquitto reads sha512-pbkdf2 and sha512')
      .choices(['argon2id', 'sha512-pbkdf2', 'sha512'])
      .default('argon2id'),
  )
}

function fileOf({ data, file }: FileOptions): string {
  return file ?? join(data, PASSWORDS)
}

async function add(user: string, options: AddOptions): Promise<void> {
  const file = fileOf(options)
  const before = await contents(file, '')
  const password =
    options.generate === true ? randomBytes(15).toString('base64url') : await asked(options, true)
  const line = await hashPassword(Buffer.from(password), options.hash)
  await save(file, changed(before, user, line))
  const was = parsePasswordFile(before, file).users.has(user)
  console.log(`${file}: ${was ? `${user} has another password` : `${user} is added`}`)
  if (options.generate === true) console.log(`password: ${password}`)
}

async function remove(user: string, options: FileOptions): Promise<void> {
  const file = fileOf(options)
  const before = await contents(file)
  if (!parsePasswordFile(before, file).users.has(user))
    throw new CommandError(`${file}: there is no user ${user}`)
  await save(file, changed(before, user, undefined))
  console.log(`${file}: ${user} is gone`)
}

async function list(options: FileOptions): Promise<void> {
  const file = fileOf(options)
  const { users, faults } = parsePasswordFile(await contents(file), file)
  for (const { username, hash: kept } of users.values())
    console.log(`${username}\t${kept?.form ?? 'cannot log in'}`)
  if (faults.length > 0) throw new CommandError(faults.join('; '))
}

async function check(user: string, options: AddOptions): Promise<void> {
  const file = fileOf(options)
  const kept = parsePasswordFile(await contents(file), file).users.get(user)?.hash
  const password = await asked(options, false)
  if (kept === undefined || !(await verifyPassword(Buffer.from(password), kept))) {
    throw new CommandError(`${file}: that is not the password of ${user}`)
  }
  console.log(`${file}: that is the password of ${user}`)
}

async function hash(options: AddOptions): Promise<void> {
  const file = fileOf(options)
  let text = await contents(file)
  const plain = [...parsePasswordFile(text, file).users.values()].filter(
    (entry) => entry.hash === undefined && !entry.text.startsWith('$'),
  )
  for (const { username, text: password } of plain) {
    text = changed(text, username, await hashPassword(Buffer.from(password), options.hash))
  }
  if (plain.length > 0) await save(file, text)
  console.log(`${file}: ${plain.length} of the passwords hashed`)
}

function changed(text: string, user: string, line: string | undefined): string {
  try {
    return withUser(text, user, line)
  } catch (error) {
    throw new CommandError((error as Error).message)
  }
}

async function contents(file: string, otherwise?: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && otherwise !== undefined) return otherwise
    const help = error.code === 'ENOENT' ? '; `pipit passwd add USER` makes it' : ''
    throw new CommandError(`${file}: ${fileFault(error)}${help}`)
  })
}

/** Replaces the file at once: a broker that reads it meanwhile sees the old one or the new one. */
async function save(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const next = `${file}.new`
  await writeFile(next, text, { mode: 0o600 })
  await chmod(next, 0o600)
  await rename(next, file)
}

/** The password: given, or typed where nobody sees it, or a line of stdin. */
async function asked({ password }: AddOptions, twice: boolean): Promise<string> {
  if (password !== undefined) return checked(password)
  if (!process.stdin.isTTY) return checked(await lineFrom(process.stdin))
  const first = checked(await typed('Password: '))
  if (twice && (await typed('The same again: ')) !== first) throw new CommandError('the two are not the same')
  return first
}

function checked(password: string): string {
  if (password === '') {
    throw new CommandError(
      'the password is empty; type one, give it with -P or as a line of stdin, or let --generate make one',
    )
  }
  return password
}

async function lineFrom(input: NodeJS.ReadStream): Promise<string> {
  const lines = createInterface({ input })
  for await (const line of lines) return line
  return ''
}

async function typed(prompt: string): Promise<string> {
  process.stderr.write(prompt)
  // What is typed is read by readline and written nowhere.
  const lines = createInterface({ input: process.stdin, terminal: true })
  lines.on('SIGINT', () => process.exit(130))
  try {
    const [line] = (await once(lines, 'line')) as [string]
    return line
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
