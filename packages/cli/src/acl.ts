import { type AclDecision, AclError, readAcl } from '@pipit/broker'
import { Argument, Command } from 'commander'
import { quiet, subcommand, withEnvironment } from './command-line.ts'
import { CommandError } from './faults.ts'

interface CheckOptions {
  readonly file: string
  readonly user?: string
  readonly client: string
}

export function define(): Command {
  const command = quiet(new Command('acl'))
    .description('Says what an ACL file allows.')
    .helpOption('--help', 'show this help')
    .helpCommand(false)
    .action(() => command.help())
  command.addCommand(
    withEnvironment(
      subcommand('check', 'Says whether a client may, and which line decided. Ends with 1 when it may not.')
        .requiredOption('-f, --file <file>', "the ACL file: Mosquitto's format, or YAML (.yaml, .yml)")
        .option('-u, --user <name>', 'the user name (default: none, an anonymous client)')
        .option('--client <id>', 'the client identifier', '')
        .addArgument(new Argument('<action>').choices(['read', 'write', 'subscribe']))
        .argument('<topic>', 'a topic; for subscribe a filter'),
    ).action(check),
  )
  return command
}

async function check(
  action: 'read' | 'write' | 'subscribe',
  topic: string,
  { file, user: username, client: clientId }: CheckOptions,
): Promise<void> {
  const acl = await readAcl(file).catch((error: unknown) => {
    throw error instanceof AclError ? new CommandError(error.faults.join('\npipit acl: ')) : error
  })
  const decision = acl.decide({ clientId, username }, action, topic)
  const who = username === undefined ? 'an anonymous client' : username
  const said = `${who} may ${decision.allowed ? '' : 'not '}${action} ${topic}: ${reason(file, decision)}`
  if (!decision.allowed) throw new CommandError(said)
  console.log(said)
}

function reason(file: string, { rule, why }: AclDecision): string {
  if (rule === undefined) return why ?? 'no rule allows it'
  const only = rule.only === undefined ? '' : `${rule.only} `
  return `${file}:${rule.line}: ${rule.isPattern ? 'pattern ' : ''}${rule.verb} ${only}${rule.topic}`
}
