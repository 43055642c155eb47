import { existsSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { collect, quiet, subcommand, UsageError, whole, withEnvironment } from './command-line.ts'
import { CommandError } from './faults.ts'

interface CertOptions {
  readonly data: string
  readonly folder?: string
  readonly days: number
}

interface DevOptions extends CertOptions {
  readonly host?: readonly string[]
  readonly renew?: true
}

/** Where certificates are, below the data folder: `pipit broker` looks there. */
export const CERTS = 'certs'

export function define(): Command {
  const command = quiet(new Command('cert'))
    .description('Makes certificates for development: an authority, a server, clients.')
    .helpOption('--help', 'show this help')
    .helpCommand(false)
    .action(() => command.help())
  command.addCommand(
    withFolder('dev', 'Makes an authority, and certificates for this machine and for a client.')
      .option('--host <name>', 'a name or address that the broker is reached by; may be repeated', collect)
      .option('--renew', 'make the certificates of server and client anew')
      .action(dev),
  )
  command.addCommand(
    withFolder('client', 'Makes a certificate for a client: its name can be its user name.')
      .argument('<name>', 'the client')
      .action(client),
  )
  command.addCommand(
    withFolder('revoke', "Puts a client's certificate on the list of revoked ones, ca.crl.")
      .argument('<name>', 'the client')
      .action(revoke),
  )
  return command
}

function withFolder(name: string, description: string): Command {
  return withEnvironment(
    subcommand(name, description)
      .option('--data <folder>', 'the data folder', './pipit-data')
      .option('--folder <folder>', 'where the files are (default: certs in the data folder)')
      .option('--days <days>', 'how long certificates are valid', whole(1, 36_500), 365),
  )
}

function folderOf({ data, folder }: CertOptions): string {
  return folder ?? join(data, CERTS)
}

async function dev(options: DevOptions): Promise<void> {
  const { authority, existed } = await authorityIn(options)
  const { folder } = authority
  const said = [`${join(folder, 'ca.crt')}: the authority, ${existed ? 'as it was' : 'new'}; clients need it`]
  const hosts = [...new Set([...ownHosts(), ...(options.host ?? [])])]
  const { days } = options
  const wishes = [
    ['server', { name: hosts[0] ?? 'localhost', purpose: 'server', hosts, days }, `for ${hosts.join(', ')}`],
    ['client', { name: 'client', purpose: 'client', days }, 'for a client'],
  ] as const
  for (const [file, wish, what] of wishes) {
    const isNew =
      options.renew === true || options.host !== undefined || !existsSync(join(folder, `${file}.crt`))
    if (isNew) await authority.issue(file, wish)
    said.push(
      `${join(folder, `${file}.crt`)}, .key: ${isNew ? what : 'as they were (--renew makes them anew)'}`,
    )
  }
  console.log(said.join('\n'))
}

async function client(name: string, options: CertOptions): Promise<void> {
  const file = fileNamed(name)
  const { authority } = await authorityIn(options)
  await authority.issue(file, { name, purpose: 'client', days: options.days })
  console.log(`${join(authority.folder, `${file}.crt`)}, .key: for ${name}`)
}

async function revoke(name: string, options: CertOptions): Promise<void> {
  const file = fileNamed(name)
  const folder = folderOf(options)
  if (!existsSync(join(folder, `${file}.crt`))) {
    throw new CommandError(`there is no certificate ${join(folder, `${file}.crt`)}`)
  }
  const { authority } = await authorityIn(options)
  await authority.revoke(file)
  console.log(`${join(folder, 'ca.crl')}: ${file}.crt is revoked; a broker with tls.crl refuses it`)
}

/** The library is loaded only by who makes certificates: it costs 100 ms. */
async function authorityIn(
  options: CertOptions,
): ReturnType<typeof import('./cert-authority.ts').CertAuthority.at> {
  const { CertAuthority } = await import('./cert-authority.ts')
  return CertAuthority.at(folderOf(options), Math.max(options.days, 3650))
}

function fileNamed(name: string): string {
  if (/^[\w.@-]+$/.test(name) && !name.startsWith('.') && !/^(ca|server)$/.test(name)) return name
  throw new UsageError(
    `${JSON.stringify(name)} cannot be a client's file: letters, digits, . _ - and @; not ca, not server`,
  )
}

/** What this machine is called and reached by. */
function ownHosts(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  const reachable = addresses.filter(({ internal, address }) => !internal && !address.startsWith('fe80'))
  return ['localhost', hostname(), '127.0.0.1', '::1', ...reachable.map(({ address }) => address)]
}
