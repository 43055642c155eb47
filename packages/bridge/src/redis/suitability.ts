import type { Cluster, Redis } from 'ioredis'
import { pairsOf, type Reply } from './replies.ts'

/** What a Redis says of itself; absent: it does not say. */
export interface Facts {
  readonly version: string | undefined
  readonly appendOnly: boolean | undefined
  readonly appendFsync: string | undefined
  readonly memoryPolicy: string | undefined
}

/** What follows from that. */
export interface Verdict {
  /** Why it cannot be used. */
  readonly refusal: string | undefined
  /** What may be lost. */
  readonly warning: string | undefined
  /** WAITAOF makes up for the rest of a second in which nothing is on the disk. */
  readonly waits: boolean
}

/** Asks a Redis; a managed one may refuse CONFIG, and tells some of it by INFO.
 *  @throws what ioredis does when there is no answer */
export async function factsOf(client: Redis | Cluster): Promise<Facts> {
  const node = 'nodes' in client ? client.nodes('master')[0] : client
  if (node === undefined) throw new Error('the Cluster has no master')
  const info = await answered(async () => String(await node.call('INFO')), '')
  const said = (field: string): string | undefined => new RegExp(`^${field}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  const config = await configOf(node)
  const appendOnly = config.get('appendonly') ?? said('aof_enabled')
  return {
    version: said('redis_version'),
    appendOnly: appendOnly === undefined ? undefined : appendOnly === 'yes' || appendOnly === '1',
    appendFsync: config.get('appendfsync'),
    memoryPolicy: config.get('maxmemory-policy') ?? said('maxmemory_policy'),
  }
}

async function configOf(node: Redis): Promise<ReadonlyMap<string, string>> {
  const asking = (): Promise<unknown> =>
    node.callBuffer('CONFIG', 'GET', 'appendonly', 'appendfsync', 'maxmemory-policy')
  const reply = (await answered(asking, null)) as Reply
  return new Map([...pairsOf(reply)].map(([name, value]) => [name, value.toString()]))
}

/** @returns `refused` when the answer is that one may not ask: ERR unknown command, NOPERM */
async function answered<T>(ask: () => Promise<T>, refused: T): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (/^(ERR|NOPERM)/.test((error as Error).message)) return refused
    throw error
  }
}

/** Says whether a Redis may hold a queue, and how safely. */
export function judge(facts: Facts, isCluster: boolean): Verdict {
  const { version = '', appendOnly, appendFsync, memoryPolicy } = facts
  const waits = !isCluster && appendOnly === true && appendFsync === 'everysec' && isAtLeast(version, 7, 2)
  return { refusal: refusalOf(version, memoryPolicy), warning: warningOf(facts, waits), waits }
}

function refusalOf(version: string, memoryPolicy: string | undefined): string | undefined {
  if (version !== '' && !isAtLeast(version, 7, 0))
    return `it is version ${version}; the queue needs Redis 7 or Valkey`
  if (memoryPolicy === undefined || memoryPolicy === 'noeviction') return undefined
  return `its maxmemory-policy is ${memoryPolicy}: commands would be thrown away when its memory is full; set maxmemory-policy to noeviction`
}

function warningOf({ appendOnly, appendFsync, memoryPolicy }: Facts, waits: boolean): string | undefined {
  if (appendOnly === false) {
    return 'appendonly is no: when Redis ends, all that came after its last snapshot is lost, commands answered with 202 too; set appendonly yes and appendfsync always'
  }
  const unknown = [
    ...(appendOnly === undefined ? ['appendonly'] : []),
    ...(appendFsync === undefined ? ['appendfsync'] : []),
    ...(memoryPolicy === undefined ? ['maxmemory-policy'] : []),
  ]
  if (unknown.length > 0) {
    return `${unknown.join(', ')} could not be checked, as CONFIG is refused; only appendonly yes, appendfsync always and maxmemory-policy noeviction lose nothing`
  }
  if (appendFsync === 'always' || waits) return undefined
  const lost = appendFsync === 'everysec' ? 'the last second' : 'whatever the system has not written yet'
  return `appendfsync is ${appendFsync}: a power cut loses ${lost}, commands answered with 202 too; set appendfsync always`
}

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = version.split('.').map(Number)
  return first > major || (first === major && second >= minor)
}
