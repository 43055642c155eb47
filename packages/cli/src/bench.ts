import { availableParallelism } from 'node:os'
import type { QoS } from '@pipit/protocol'
import { type Command, Option } from 'commander'
import { subcommand, UsageError, whole, withEnvironment } from './command-line.ts'
import { CLIENT_VARIABLES, withoutPassword } from './endpoint.ts'
import { CommandError, connectFault } from './faults.ts'
import { Histogram } from './load/histogram.ts'
import type { Target } from './load/link.ts'
import { PAYLOAD_HEAD } from './load/publisher.ts'
import { type RunResult, runLoad } from './load/run-load.ts'
import type { Load, Topology } from './load/shape.ts'
import { readNamedFile } from './named-file.ts'
import { formatRows } from './table.ts'

interface BenchGiven {
  readonly host: string
  readonly port?: number
  readonly url?: string
  readonly username?: string
  readonly pw?: string
  readonly protocolVersion: string
  readonly cafile?: string
  readonly insecure?: true
  readonly publishers?: number
  readonly subscribers?: number
  readonly qos: QoS
  readonly size: number
  readonly inFlight?: number
  readonly window: number
  readonly rate?: number
  readonly seconds: number
  readonly warmUp: number
  readonly processes?: number
  readonly json?: true
}

/** What a shape is when nothing is said: publishers, subscribers, and messages in flight of each publisher. */
const SHAPES: Readonly<
  Record<Topology, readonly [publishers: number, subscribers: number, inFlight: number]>
> = {
  pairs: [10, 1, 1000],
  'fan-out': [1, 100, 200],
  'fan-in': [100, 1, 100],
  shared: [10, 10, 500],
}

/** A generator that was this busy may have been what limited the rate. */
const BUSY = 0.9

export function define(): Command {
  const command = subcommand('bench', 'Puts a load on a broker, checks every message, and says what it took.')
    .argument('[shape]', `who sends to whom: ${Object.keys(SHAPES).join(', ')}`, 'pairs')
    .option('-h, --host <host>', 'the broker', 'localhost')
    .option('-p, --port <port>', 'its port (default: 1883, or what the URL says)', whole(1, 65535))
    .option('-L, --url <url>', 'mqtt://, mqtts://, ws:// or wss://[user[:password]@]host[:port][/path]')
    .option('-u, --username <name>', 'user name')
    .option('-P, --pw <password>', 'password; in PIPIT_PW it stays out of the list of processes')
    .addOption(new Option('-V, --protocol-version <version>', 'of MQTT').choices(['5', '311']).default('311'))
    .option('--cafile <file>', 'certificates to trust, for mqtts:// and wss://')
    .option('--insecure', 'do not check the certificate')
    .option('--publishers <count>', 'publishers', whole(1, 10_000))
    .option('--subscribers <count>', 'receivers: of each publisher, or in the shared group', whole(1, 10_000))
    .addOption(new Option('-q, --qos <qos>', '0, 1 or 2').argParser(whole(0, 2)).default(0))
    .option('--size <bytes>', `of a payload, ${PAYLOAD_HEAD} or more`, whole(PAYLOAD_HEAD, 1_000_000), 64)
    .option(
      '--in-flight <count>',
      'of a publisher, on their way to its slowest receiver',
      whole(1, 1_000_000),
    )
    .option('--window <count>', 'of a publisher, without acknowledgement', whole(1, 65535), 100)
    .option('--rate <messages>', 'a second, of all together (default: as many as go)', whole(1, 100_000_000))
    .option('--seconds <seconds>', 'how long to measure', whole(1, 86_400), 10)
    .option('--warm-up <seconds>', 'how long to run before', whole(0, 3600), 2)
    .option('--processes <count>', 'that make the load (default: one fewer than cores)', whole(1, 64))
    .option('--json', 'the result as JSON')
    .addHelpText('after', AFTER)
  return withEnvironment(command, CLIENT_VARIABLES).action(bench)
}

const AFTER = `
Shapes, when nothing else is said:
  pairs     10 publishers, each to a receiver of its own
  fan-out   1 publisher to 100 receivers
  fan-in    100 publishers to 1 receiver
  shared    10 publishers to a shared subscription of 10 members (MQTT 5.0, or a broker that knows it in 3.1.1)

One message at a time: --in-flight 1. Latencies are from publisher to receiver, under this load; for those of
a quiet broker give a --rate. Every message is numbered: what is lost, comes twice, comes late or is not
acknowledged is counted, and makes the exit code 1.

Examples:
  pipit bench -h broker.lan -q 1
  pipit bench fan-out --subscribers 1000 --seconds 30
  pipit bench pairs --publishers 500 --rate 10000
  pipit bench -L mqtts://user@broker.lan --cafile ca.pem --json`

async function bench(shape: string, given: BenchGiven): Promise<void> {
  const load = loadOf(shape, given)
  const abort = new AbortController()
  const stop = (): void => abort.abort(new CommandError('stopped', 130))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const progress = progressLine(process.stderr)
  const result = await runLoad(load, {
    processes: given.processes ?? Math.max(1, availableParallelism() - 1),
    signal: abort.signal,
    onBegun: () => progress.begun(),
    onProgress: (delivered) => progress.show(delivered),
  })
    .catch((error: unknown) => {
      throw error instanceof CommandError ? error : connectFault(error, load.target)
    })
    .finally(() => progress.end())
  const figures = figuresOf(load, result)
  process.stdout.write(given.json ? `${JSON.stringify(figures, undefined, 2)}\n` : described(figures))
  process.exitCode = Object.values(figures.faults).some((count) => count > 0) ? 1 : 0
}

/** @throws UsageError */
function loadOf(shape: string, given: BenchGiven): Load {
  if (!Object.hasOwn(SHAPES, shape)) {
    throw new UsageError(
      `there is no shape ${JSON.stringify(shape)}; it takes ${Object.keys(SHAPES).join(', ')}`,
    )
  }
  const topology = shape as Topology
  const [publishers, subscribers, inFlight] = SHAPES[topology]
  if (given.subscribers !== undefined && (topology === 'pairs' || topology === 'fan-in')) {
    throw new UsageError(`--subscribers: ${topology} has one receiver for each flow; see fan-out and shared`)
  }
  return {
    target: targetOf(given),
    topology,
    publishers: given.publishers ?? publishers,
    subscribers: given.subscribers ?? subscribers,
    qos: given.qos,
    size: given.size,
    inFlight: given.inFlight ?? inFlight,
    window: given.window,
    rate: given.rate,
    warmUpSeconds: given.warmUp,
    seconds: given.seconds,
    prefix: `pipit-bench-${process.pid}`,
  }
}

const PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 }

/** @throws UsageError */
function targetOf(given: BenchGiven): Target {
  const { cafile, insecure = false, username, pw: password } = given
  const version = given.protocolVersion === '5' ? 5 : 4
  const ca = cafile === undefined ? undefined : readNamedFile('--cafile', cafile).toString()
  if (given.url === undefined) {
    if (ca !== undefined || insecure) throw new UsageError('--cafile and --insecure want a URL: -L mqtts://…')
    return { host: given.host, port: given.port ?? 1883, version, username, password }
  }
  const url = URL.parse(given.url)
  const port = PORTS[url?.protocol ?? '']
  if (url === null || url.hostname === '' || port === undefined) {
    throw new UsageError(
      `-L is ${JSON.stringify(withoutPassword(given.url))}; it takes mqtt://, mqtts://, ws:// or wss://host[:port]`,
    )
  }
  const said = (text: string): string | undefined => (text === '' ? undefined : decodeURIComponent(text))
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: given.port ?? (url.port === '' ? port : Number(url.port)),
    version,
    username: said(url.username) ?? username,
    password: said(url.password) ?? password,
    tls: /^(mqtts|wss):$/.test(url.protocol) ? { ca, verify: !insecure } : undefined,
    webSocketPath: url.protocol.startsWith('ws') ? url.pathname : undefined,
  }
}

interface Progress {
  begun(): void
  show(delivered: number): void
  end(): void
}

/** What is delivered each second, drawn over itself; nothing where nobody watches. */
function progressLine(out: NodeJS.WriteStream): Progress {
  const isWatched = out.isTTY === true
  let phase = 'warming up'
  let last = { delivered: 0, at: performance.now() }
  const draw = (text: string): void => void (isWatched && out.write(`\r\x1b[K${text}`))
  return {
    begun: () => {
      phase = 'measuring'
    },
    show: (delivered) => {
      const at = performance.now()
      const passed = (at - last.at) / 1000
      if (passed < 0.2) return
      draw(`${phase}: ${count((delivered - last.delivered) / passed)} messages/s`)
      last = { delivered, at }
    },
    end: () => draw(''),
  }
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en')
}

/** What `--json` prints: rates are a second, times milliseconds. */
interface Figures {
  readonly shape: Topology
  readonly publishers: number
  readonly subscribers: number
  readonly qos: QoS
  readonly size: number
  readonly seconds: number
  readonly published: number
  readonly delivered: number
  readonly publishedRate: number
  readonly deliveredRate: number
  readonly deliveredMegabytesRate: number
  readonly latencyMs: { readonly [quantile: string]: number }
  /** From a message to the end of its handshake; NaN (null) at QoS 0. */
  readonly acknowledgedMs: { readonly [quantile: string]: number }
  readonly faults: {
    readonly lost: number
    readonly repeated: number
    readonly strange: number
    readonly unacknowledged: number
  }
  readonly generator: { readonly processes: number; readonly busiest: number }
}

const QUANTILES = { p50: 0.5, p90: 0.9, p99: 0.99, 'p99.9': 0.999, max: 1 }

function figuresOf(load: Load, result: RunResult): Figures {
  const { topology, publishers, subscribers, qos, size } = load
  const { published, delivered, seconds, lost, repeated, strange, unacknowledged, processes } = result
  return {
    shape: topology,
    publishers,
    subscribers,
    qos,
    size,
    seconds,
    published,
    delivered,
    publishedRate: published / seconds,
    deliveredRate: delivered / seconds,
    deliveredMegabytesRate: (delivered * size) / seconds / 1e6,
    latencyMs: quantiles(result.latencies),
    acknowledgedMs: quantiles(result.acknowledgements),
    faults: { lost, repeated, strange, unacknowledged },
    generator: { processes, busiest: result.busiest },
  }
}

function quantiles(counts: readonly number[]): Record<string, number> {
  const histogram = new Histogram(counts)
  const each = Object.entries(QUANTILES).map(([name, share]) => [name, histogram.quantile(share) / 1000])
  return Object.fromEntries(each) as Record<string, number>
}

function described(figures: Figures): string {
  const { shape, publishers, subscribers, qos, size, latencyMs, faults, generator } = figures
  const columns = [
    'published/s',
    'delivered/s',
    'MB/s',
    ...Object.keys(latencyMs).map((name) => `${name} ms`),
  ]
  const row = [
    count(figures.publishedRate),
    count(figures.deliveredRate),
    figures.deliveredMegabytesRate.toFixed(1),
    ...Object.values(latencyMs).map((ms) => (Number.isNaN(ms) ? '-' : ms.toFixed(ms < 10 ? 2 : 1))),
  ]
  const found = Object.entries(faults).filter(([, each]) => each > 0)
  const said = found.map(([what, each]) => `${count(each)} ${what}`).join(', ')
  const busy = (100 * generator.busiest).toFixed(0)
  const lines = [
    `${shape}: ${publishers} publishers, ${subscribers} subscribers${shape === 'fan-out' ? ' each' : ''}, QoS ${qos}, ${size} bytes`,
    formatRows({ columns, rows: [row] }, 'table').trimEnd(),
    found.length === 0 ? 'every message arrived once and in order' : `FAULTS: ${said}`,
    `${generator.processes} generator process${generator.processes > 1 ? 'es' : ''}, the busiest at ${busy} % of a core`,
  ]
  if (generator.busiest > BUSY) lines.push('the generator may have been the limit: give it more --processes')
  return `${lines.join('\n')}\n`
}
