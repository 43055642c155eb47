import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Engine, openEngine } from '@pipit/bridge'
import { freePort } from './brokers.ts'
import { PostgresServer } from './postgres.ts'
import { redisProcess } from './redis.ts'

/** Where the bridge under torture keeps its commands and messages. */
export interface TortureQueue {
  readonly name: string
  /** How the bridge is told. */
  readonly args: readonly string[]
  open(): Engine
  /** Kills it and starts it again; nothing for a file. */
  restart(): Promise<void>
  end(): Promise<void>
}

export const QUEUES = {
  embedded: embeddedQueue,
  redis: redisQueue,
  postgres: async (folder: string) => withPostgres(await embeddedQueue(folder)),
  'redis+postgres': async (folder: string) => withPostgres(await redisQueue(folder)),
}

async function embeddedQueue(folder: string): Promise<TortureQueue> {
  return queue('embedded engine', join(folder, 'bridge.db'))
}

async function redisQueue(folder: string): Promise<TortureQueue> {
  const data = join(folder, 'redis')
  mkdirSync(data)
  const server = redisProcess(await freePort(), data)
  await server.start()
  const restart = async (): Promise<void> => {
    await server.kill()
    await server.start()
  }
  return { ...queue('Redis', `redis://127.0.0.1:${server.port}`), restart, end: () => server.kill() }
}

/** Commands there, messages in PostgreSQL; both are killed. */
async function withPostgres(commands: TortureQueue): Promise<TortureQueue> {
  const server = await PostgresServer.create()
  const database = server.address()
  return {
    name: `${commands.name} and PostgreSQL`,
    args: [...commands.args, '--database', database],
    open: () => openEngine({ queue: commands.args[1] ?? '', database }),
    async restart() {
      await commands.restart()
      await server.stop('SIGKILL')
      await server.start()
    },
    async end() {
      await Promise.all([commands.end(), server.remove()])
    },
  }
}

function queue(name: string, address: string): TortureQueue {
  const nothing = async (): Promise<void> => {}
  const args = ['--queue', address]
  return { name, args, open: () => openEngine({ queue: address }), restart: nothing, end: nothing }
}
