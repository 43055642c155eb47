import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Histogram } from './histogram.ts'
import { type FromGenerator, type Load, type LoadResult, split } from './shape.ts'

export interface RunOptions {
  /** Processes that share the load; flows are not cut. Default 1. */
  readonly processes?: number
  /** What each process is started by, before the path of Node: `['taskset', '-c', '1']`. */
  readonly pinned?: readonly string[]
  /** Called when all have warmed up, and when none measures any more. */
  readonly onBegun?: () => void
  readonly onOver?: () => void
  /** Called a few times a second with what has been delivered so far. */
  readonly onProgress?: (delivered: number) => void
  readonly signal?: AbortSignal
}

/** What all processes of a load saw, added up. */
export interface RunResult extends LoadResult {
  readonly processes: number
  /** CPU seconds for each second, of the busiest process: near 1, and the generator was the limit. */
  readonly busiest: number
}

/** Puts a load on a broker and says what became of it.
 *  @throws Error when a connection cannot be made or is lost, with the `code` of the system's error if there is one;
 *  `signal.reason` when it is aborted */
export async function runLoad(load: Load, options: RunOptions = {}): Promise<RunResult> {
  const { signal, onProgress } = options
  signal?.throwIfAborted()
  const generators = split(load, options.processes ?? 1).map(
    (part) => new Generator(part, options.pinned ?? []),
  )
  const end = (): void => {
    for (const generator of generators) generator.kill()
  }
  signal?.addEventListener('abort', end)
  try {
    await Promise.all(generators.map(({ ready }) => ready))
    const tell = (): void => onProgress?.(generators.reduce((sum, { delivered }) => sum + delivered, 0))
    for (const generator of generators) generator.begin(tell)
    void Promise.all(generators.map(({ begun }) => begun)).then(options.onBegun, () => undefined)
    void Promise.all(generators.map(({ over }) => over)).then(options.onOver, () => undefined)
    return sum(await Promise.all(generators.map(({ result }) => result)))
  } catch (error) {
    throw signal?.aborted === true ? signal.reason : error
  } finally {
    signal?.removeEventListener('abort', end)
    end()
  }
}

/** A process of the load generator. */
class Generator {
  readonly ready: Promise<void>
  readonly begun: Promise<void>
  readonly over: Promise<void>
  readonly result: Promise<LoadResult>
  delivered = 0
  private readonly child: ChildProcess
  private progressed: () => void = () => undefined

  constructor(load: Load, pinned: readonly string[]) {
    // The build beside the build, the source beside the source, under the conditions of this process.
    const path = fileURLToPath(new URL(`./generator${import.meta.filename.slice(-3)}`, import.meta.url))
    const [file = '', ...args] = [
      ...pinned,
      process.execPath,
      ...process.execArgv,
      path,
      JSON.stringify(load),
    ]
    this.child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const [ready, begun, over] = [deferred<void>(), deferred<void>(), deferred<void>()]
    const result = deferred<LoadResult>()
    this.ready = ready.promise
    this.begun = begun.promise
    this.over = over.promise
    this.result = result.promise
    const fail = (error: Error): void => {
      for (const each of [ready, begun, over, result]) each.reject(error)
    }
    // Each is awaited, or its failure is another one's too.
    for (const each of [ready, begun, over, result]) each.promise.catch(() => undefined)
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      const said = JSON.parse(line) as FromGenerator
      if (said.kind === 'ready') ready.resolve()
      else if (said.kind === 'begun') begun.resolve()
      else if (said.kind === 'over') over.resolve()
      else if (said.kind === 'failed') fail(Object.assign(new Error(said.why), { code: said.code }))
      else if (said.kind === 'result') result.resolve(said.result)
      else if (said.kind === 'progress') {
        this.delivered = said.delivered
        this.progressed()
      }
    })
    this.child.on('error', fail)
    this.child.stdin?.on('error', () => undefined)
    this.child.stdin?.write(`${JSON.stringify(load)}\n`)
    this.child.on('close', () => fail(new Error('a process of the load generator ended before its time')))
  }

  begin(progressed: () => void): void {
    this.progressed = progressed
    this.child.stdin?.write('begin\n')
  }

  kill(): void {
    this.child.kill()
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

function deferred<T>(): Deferred<T> {
  let settle: Omit<Deferred<T>, 'promise'> | undefined
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject }
  })
  return { promise, ...settle! }
}

function sum(results: readonly LoadResult[]): RunResult {
  const latencies = new Histogram()
  const acknowledgements = new Histogram()
  for (const result of results) {
    latencies.addAll(result.latencies)
    acknowledgements.addAll(result.acknowledgements)
  }
  const total = (of: (result: LoadResult) => number): number =>
    results.reduce((all, result) => all + of(result), 0)
  return {
    processes: results.length,
    delivered: total(({ delivered }) => delivered),
    published: total(({ published }) => published),
    seconds: Math.max(...results.map(({ seconds }) => seconds)),
    generatorCpuSeconds: total(({ generatorCpuSeconds }) => generatorCpuSeconds),
    busiest: Math.max(...results.map(({ generatorCpuSeconds, seconds }) => generatorCpuSeconds / seconds)),
    latencies: latencies.toJSON(),
    acknowledgements: acknowledgements.toJSON(),
    lost: total(({ lost }) => lost),
    repeated: total(({ repeated }) => repeated),
    strange: total(({ strange }) => strange),
    unacknowledged: total(({ unacknowledged }) => unacknowledged),
  }
}
