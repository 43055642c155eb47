import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import {
  createApi,
  type Engine,
  EngineUnsuitableError,
  openEngine,
  type Supervised,
  Supervisor,
  Worker,
} from '@pipit/bridge'
import type { Command } from 'commander'
import {
  type ApiGiven,
  addApiOptions,
  addSharedOptions,
  addWorkerOptions,
  apiAccess,
  argumentsFor,
  BRIDGE_VARIABLES,
  brokerOf,
  queueOf,
  type SharedGiven,
  type WorkerGiven,
} from './bridge-options.ts'
import { quiet, subcommand, UsageError, withEnvironment } from './command-line.ts'
import { CommandError, systemCode } from './faults.ts'
import { leave } from './leave.ts'
import { tryToListen } from './listen.ts'
import { untilSignal } from './signals.ts'

const LAUNCHER = fileURLToPath(new URL('../bin/pipit.js', import.meta.url))

export function define(): Command {
  const command = subcommand(
    'bridge',
    'HTTP in front, MQTT behind: commands in a durable queue, messages in a database.',
  ).usage('api|worker|up [options]')
  for (const part of [api(), worker(), up()]) command.addCommand(quiet(part))
  return command
    .helpCommand(false)
    .argument('[what]')
    .action((what: string | undefined) => {
      const said = what === undefined ? 'bridge what?' : `nothing is called ${what};`
      throw new UsageError(`${said} there are: api, worker, up`)
    })
}

function api(): Command {
  const command = addApiOptions(addSharedOptions(subcommand('api', 'The HTTP API; any number of them.')))
  return withEnvironment(command, BRIDGE_VARIABLES).action(async (given: ApiGiven) => {
    const ended = untilEnd()
    const access = apiAccess(given)
    const engine = await open(given, say('api'))
    const { hooksInside } = given
    const app = await createApi({ engine, broker: brokerOf(given), ...access, hooksInside, log: say('api') })
    const address = await app.listen({ host: given.bind, port: given.port }).catch((error: unknown) => {
      throw listenFault(error, given)
    })
    console.log(`pipit bridge api: ready on ${address}`)
    await ended
    await app.close()
    await engine.close()
    await leave(0)
  })
}

function worker(): Command {
  const command = addWorkerOptions(
    addSharedOptions(subcommand('worker', 'Sends and stores; any number of them.')),
  )
  return withEnvironment(command).action(async (given: WorkerGiven) => {
    const ended = untilEnd()
    const engine = await open(given, say('worker'))
    const { listen, window, maxAttempts: maximumAttempts, keepMessages, hooksInside = false } = given
    const running = new Worker({
      engine,
      broker: brokerOf(given),
      listen,
      window,
      maximumAttempts,
      keep: { messages: keepMessages },
      hooks: { inside: hooksInside },
      log: say('worker'),
    })
    running.start()
    console.log('pipit bridge worker: at work')
    await ended
    await running.stop()
    await engine.close()
    await leave(0)
  })
}

function up(): Command {
  const command = subcommand('up', 'One API and one worker, each started again when it fails.')
  return withEnvironment(addWorkerOptions(addApiOptions(addSharedOptions(command))), BRIDGE_VARIABLES).action(
    async (given: ApiGiven & WorkerGiven, self: Command) => {
      const ended = untilSignal()
      // Said here, before two processes say it again and again.
      const { keys, jwt } = apiAccess(given)
      await (await open(given, () => {})).close()
      await tryToListen(given.bind, given.port).catch((error: unknown) => {
        throw listenFault(error, given)
      })
      const isOpen = keys === undefined && jwt === undefined && given.hooksInside === undefined
      const forWorker = [...argumentsFor(self, worker()), ...(isOpen ? ['--hooks-inside'] : [])]
      const supervisor = new Supervisor(
        [child('api', argumentsFor(self, api())), child('worker', forWorker)],
        say('up'),
      )
      await ended
      await supervisor.stop()
      await leave(0)
    },
  )
}

/** Part of the bridge as a process of its own.
 *  @param output where its lines go; default: where ours do */
export function child(
  part: 'api' | 'worker',
  args: readonly string[],
  output?: (line: string) => void,
): Supervised {
  const start = (): ChildProcess => {
    const stdout = output === undefined ? 'inherit' : 'pipe'
    const command = [...process.execArgv, LAUNCHER, 'bridge', part, ...args]
    const process_ = spawn(process.execPath, command, { stdio: ['ignore', stdout, 'inherit', 'ipc'] })
    process_.stdout?.on('data', (bytes) => output?.(String(bytes).trimEnd()))
    return process_
  }
  return { name: `the bridge's ${part}`, start }
}

/** Settles at a signal, or when the supervisor whose child this is has gone. */
function untilEnd(): Promise<void> {
  if (process.channel !== undefined) process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  return untilSignal()
}

/** An engine that cannot be reached now is tried again.
 *  @throws CommandError for an address that is not right, for a queue that would throw commands away, and for a
 *  database that cannot be used */
async function open(given: SharedGiven, log: (line: string) => void): Promise<Engine> {
  const engine = opened(given, log)
  const looks = [() => engine.check(), () => engine.messages.end()]
  for (const look of given.database === undefined ? looks.slice(0, 1) : looks) {
    try {
      await look()
    } catch (error) {
      const { message } = error as Error
      if (error instanceof EngineUnsuitableError) {
        await engine.close()
        throw new CommandError(message)
      }
      log(`${message}; it goes on trying`)
    }
  }
  return engine
}

function opened(given: SharedGiven, log: (line: string) => void): Engine {
  try {
    return openEngine({ queue: queueOf(given), database: given.database, log })
  } catch (error) {
    const { message } = error as Error
    throw new CommandError(message.startsWith('database: ') ? `--${message}` : `--queue: ${message}`)
  }
}

function say(part: string): (line: string) => void {
  return (line) => void process.stderr.write(`pipit bridge ${part}: ${line}\n`)
}

function listenFault(error: unknown, { bind, port }: ApiGiven): CommandError {
  if (systemCode(error, ['EADDRINUSE']) !== undefined) {
    return new CommandError(`port ${port} is taken (${bind}); choose another with --port`)
  }
  return new CommandError(`cannot listen on ${bind}:${port}: ${(error as Error).message}`)
}
