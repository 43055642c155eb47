import { statSync } from 'node:fs'
import type { NodeClientOptions } from '@pipit/client'
import {
  type Collector,
  type CollectorAlert,
  type CollectorOptions,
  LightningCollector,
  MeshCollector,
  query,
  type Retention,
  type SimulatedStroke,
  Store,
  simulateStorms,
} from '@pipit/collectors'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { collectView } from './collect-view.ts'
import { collect, quiet, seconds, subcommand, UsageError, whole, withEnvironment } from './command-line.ts'
import { withoutPassword } from './endpoint.ts'
import { CommandError } from './faults.ts'
import { leave } from './leave.ts'
import { readNamedFile } from './named-file.ts'
import { untilSignal } from './signals.ts'
import { type Format, formatRows } from './table.ts'

interface StoreGiven {
  readonly db: string
  readonly keepDays?: number
  readonly keepMegabytes?: number
}

interface FeedGiven extends StoreGiven {
  readonly broker?: string
  readonly username?: string
  readonly pw?: string
  readonly cafile?: string
  readonly name?: string
  readonly silence?: number
}

interface MeshGiven extends FeedGiven {
  readonly root: string
  readonly key?: readonly string[]
  readonly emitJson?: true
}

interface LightningGiven extends FeedGiven {
  readonly root: string
  readonly lat?: number
  readonly lon?: number
  readonly radius: number
  readonly alertDistance?: number
  readonly simulate?: true
}

const DEFAULT_DB = './pipit-collect.db'

export function define(): Command {
  const command = subcommand('collect', 'Gathers mesh neighbours or lightning strokes into SQLite.').usage(
    'mesh|lightning|status|query [options]',
  )
  for (const part of [mesh(), lightning(), status(), queryCommand()]) command.addCommand(quiet(part))
  return command
    .helpCommand(false)
    .argument('[what]')
    .action((what: string | undefined) => {
      const said = what === undefined ? 'collect what?' : `nothing is called ${what};`
      throw new UsageError(`${said} there are: mesh, lightning, status, query`)
    })
}

function mesh(): Command {
  const command = feedOptions(subcommand('mesh', 'Who hears whom in a Meshtastic mesh.'))
    .option('--root <topic>', 'what the topics begin with, before /2/', 'msh/+')
    .option('--key <channel=psk>', 'pre-shared key of a channel in base64; may be repeated', collect)
    .option('--emit-json', 'publish each message again in the JSON shape that firmware 2.8 removed')
  return withEnvironment(command, { '--key': 'PIPIT_CHANNEL_KEY' }).action(async (given: MeshGiven) => {
    const options = feedFrom(given)
    if (options.broker === undefined)
      throw new UsageError('--broker is missing, such as mqtt://127.0.0.1:1883')
    await run(given, (store) => {
      const { root, emitJson } = given
      return new MeshCollector({ ...options, store, root, emitJson, keys: keysFrom(given.key ?? []) })
    })
  })
}

function lightning(): Command {
  const command = feedOptions(
    subcommand('lightning', 'Lightning strokes around a place, from your own relay.'),
  )
    .option('--root <topic>', 'what the topics begin with, before /1.1/', 'blitzortung')
    .option('--lat <degrees>', 'latitude of the centre', degrees(90))
    .option('--lon <degrees>', 'longitude of the centre', degrees(180))
    .option('--radius <km>', 'strokes beyond it are dropped', whole(1, 10_000), 100)
    .option('--alert-distance <km>', 'say so when strokes come within it', whole(1, 10_000))
    .option('--simulate', 'make storms that move instead of, or beside, a relay')
    .addHelpText('after', RELAY)
  return withEnvironment(command).action(async (given: LightningGiven) => {
    const options = feedFrom(given)
    if (options.broker === undefined && given.simulate !== true) {
      throw new UsageError('--broker (your own relay) or --simulate is missing')
    }
    const { lat: latitude, lon: longitude, radius: radiusKm, alertDistance: alertDistanceKm, root } = given
    if (latitude === undefined || longitude === undefined) {
      throw new UsageError('--lat and --lon say where the centre is; both are needed')
    }
    const centre = { latitude, longitude }
    await run(
      given,
      (store) => new LightningCollector({ ...options, store, centre, radiusKm, root, alertDistanceKm }),
      given.simulate === true ? simulateStorms({ centre, radiusKm, root, startAt: Date.now() }) : undefined,
    )
  })
}

const RELAY = `
The public relay of Blitzortung data is for its own component only: point --broker at a relay of your own.`

function status(): Command {
  const command = subcommand('status', 'How the collectors of a database are.').option(
    '--db <file>',
    'the database',
    DEFAULT_DB,
  )
  return withEnvironment(formatOption(command)).action(async ({ db, format }: QueryGiven) => {
    const { columns, rows } = read(db, STATUS)
    const told = rows.map((row) =>
      row.map((value, i) => (columns[i] === 'state' ? liveness(value, row[8]) : value)),
    )
    process.stdout.write(
      formatRows({ columns: columns.slice(0, 8), rows: told.map((row) => row.slice(0, 8)) }, format),
    )
    await leave(0)
  })
}

const STATUS = `SELECT name, broker, state, detail, attempts, messages,
  strftime('%Y-%m-%dT%H:%M:%SZ', last_data_at / 1000, 'unixepoch') AS last_data,
  strftime('%Y-%m-%dT%H:%M:%SZ', updated_at / 1000, 'unixepoch') AS updated, pid FROM collectors ORDER BY name`

/** A process that was killed could not say that its collector stopped. */
function liveness(state: unknown, pid: unknown): string {
  if (state === 'stopped' || typeof pid !== 'number') return String(state)
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return `gone (was ${String(state)})`
  }
  return String(state)
}

interface QueryGiven {
  readonly db: string
  readonly format: Format
}

function queryCommand(): Command {
  const command = subcommand('query', 'Reads the database with SQL; nothing is written.')
    .argument('<sql>', 'a SELECT')
    .option('--db <file>', 'the database', DEFAULT_DB)
  return withEnvironment(formatOption(command)).action(async (sql: string, { db, format }: QueryGiven) => {
    process.stdout.write(formatRows(read(db, sql), format))
    await leave(0)
  })
}

function read(db: string, sql: string): ReturnType<typeof query> {
  const found = statSync(db, { throwIfNoEntry: false })
  if (found === undefined) {
    throw new CommandError(
      `${db}: there is no such database; \`pipit collect mesh\` and \`pipit collect lightning\` make one, and --db names another`,
    )
  }
  if (found.isDirectory()) throw new CommandError(`${db}: it is a folder; --db names the database`)
  try {
    return query(db, sql)
  } catch (error) {
    throw new CommandError(`${db}: ${(error as Error).message}`)
  }
}

function formatOption(command: Command): Command {
  return command.addOption(
    new Option('--format <format>', 'how to print').choices(['table', 'json', 'csv']).default('table'),
  )
}

function feedOptions(command: Command): Command {
  return command
    .option('--broker <url>', 'mqtt://, mqtts://, ws:// or wss://, with host and port')
    .option('--db <file>', 'the SQLite database; made when it is not there', DEFAULT_DB)
    .option('-u, --username <name>', 'user name')
    .option('-P, --pw <password>', 'password; in PIPIT_PW it stays out of the list of processes')
    .option('--cafile <file>', 'certificates to trust, for mqtts:// and wss://')
    .option('--name <name>', 'tells collectors of one database apart')
    .option('--silence <seconds>', 'say so when no data came for this long', seconds)
    .option('--keep-days <days>', 'what is older goes', whole(1, 100_000))
    .option('--keep-megabytes <megabytes>', 'the oldest goes when there is more', whole(1, 1_000_000))
}

function feedFrom(given: FeedGiven): Omit<CollectorOptions, 'store'> {
  const { broker, username, pw: password, name, silence, cafile } = given
  if (broker !== undefined && !URL.canParse(broker)) {
    throw new UsageError(
      `--broker is ${JSON.stringify(withoutPassword(broker))}; it takes a URL such as mqtt://127.0.0.1:1883`,
    )
  }
  const client: NodeClientOptions = {
    username,
    password,
    ...(cafile === undefined ? {} : { tls: { ca: readNamedFile('--cafile', cafile) } }),
  }
  return {
    broker,
    name,
    client,
    alertAfterSilenceMs: silence === undefined || silence === 0 ? undefined : silence * 1000,
  }
}

function keysFrom(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new UsageError('--key takes channel=psk, and one has no channel')
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

function retentionFrom({ keepDays, keepMegabytes }: StoreGiven): Retention {
  return {
    maximumAgeMs: keepDays === undefined ? undefined : keepDays * 86_400_000,
    maximumBytes: keepMegabytes === undefined ? undefined : keepMegabytes * 1_000_000,
  }
}

function degrees(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (text.trim() !== '' && Math.abs(value) <= most) return value
    throw new InvalidArgumentError(`It takes degrees from -${most} to ${most}.`)
  }
}

const FIRST_BATCH_TIMEOUT_MS = 2_000

/** Collects until a signal comes, and shows how it goes. */
async function run(
  given: FeedGiven,
  make: (store: Store) => Collector,
  simulated?: Iterable<SimulatedStroke>,
): Promise<void> {
  const ended = untilSignal()
  const store = new Store({ path: given.db, retention: retentionFrom(given) })
  const collector = make(store)
  const view = collectView(process.stdout, collector, store)
  collector.on('connect', ({ version }) => view.note(`${collector.name}: connected, MQTT ${version}`))
  collector.on('disconnect', ({ error }) => view.note(`${collector.name}: disconnected: ${error.message}`))
  collector.on('alert', (alert) => view.note(`${collector.name}: ${describe(alert)}`))
  collector.start()
  // Said when the file is there and names the collector, so that `collect status` beside it finds both; a
  // file that cannot be written is an alert and holds nothing up.
  await store.flush(FIRST_BATCH_TIMEOUT_MS)
  view.note(`${collector.name}: collecting into ${given.db}`)
  const over = new AbortController()
  if (simulated !== undefined) void strike(collector, simulated, over.signal)
  await ended
  over.abort()
  await collector.stop()
  await store.close()
  view.end()
  const { written, dropped } = store.metrics()
  process.stdout.write(`${collector.name}: stopped; ${written} records written, ${dropped} dropped\n`)
  await leave(0)
}

/** Gives each simulated stroke to the collector when its time has come. */
async function strike(
  collector: Collector,
  strokes: Iterable<SimulatedStroke>,
  signal: AbortSignal,
): Promise<void> {
  for (const stroke of strokes) {
    const wait = stroke.at - Date.now()
    if (wait > 0) await waitMs(wait, signal)
    if (signal.aborted) return
    collector.ingest(stroke)
  }
}

function waitMs(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
}

function describe(alert: CollectorAlert): string {
  switch (alert.kind) {
    case 'failures':
      return `no connection after ${alert.failures} attempts: ${alert.error.message}`
    case 'silence':
      return `no data for ${Math.round(alert.silentMs / 1000)} s`
    case 'refused':
      return `refused: ${alert.why}`
    case 'store':
      return `cannot write yet (${alert.code}): ${alert.message}`
    case 'near':
      return `lightning ${alert.distanceKm.toFixed(1)} km away, bearing ${Math.round(alert.bearing)}`
  }
}
