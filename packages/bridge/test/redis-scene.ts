import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, connect as dial, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisEngine, type RedisEngineOptions } from '@pipit/bridge'
import { Redis } from 'ioredis'
import { onTestFinished } from 'vitest'
import { type BrokerProcess, freePort } from '../../../tools/torture/brokers.ts'
import { redisProcess } from '../../../tools/torture/redis.ts'

/** A Redis of one test. */
export interface RedisScene {
  readonly server: BrokerProcess
  readonly url: string
  /** Somebody else's connection to it. */
  readonly client: Redis
}

/** @param options of the server, `--name value`; they stand behind those that keep everything
 *  @param path of its program */
export async function newRedis(options: readonly string[], path: string): Promise<RedisScene> {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-bridge-redis-'))
  const server = redisProcess(await freePort(), folder, options, path)
  await server.start()
  const client = new Redis(server.port, '127.0.0.1', { retryStrategy: () => 50, disableClientInfo: true })
  client.on('error', () => {})
  onTestFinished(async () => {
    client.disconnect()
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  return { server, url: `redis://127.0.0.1:${server.port}`, client }
}

export function newRedisEngine(url: string, options: Partial<RedisEngineOptions> = {}): RedisEngine {
  const engine = new RedisEngine({ url, log: () => {}, ...options })
  onTestFinished(() => engine.close())
  return engine
}

/** Stands between an engine and its Redis. */
export interface Between {
  readonly port: number
  /** From now on nothing that Redis says comes through, though it does what it is asked. */
  deafen(): void
  /** Ends all connections; those that come from then on hear everything again. */
  cut(): void
}

export async function newBetween(port: number): Promise<Between> {
  const sockets = new Set<Socket>()
  let isDeaf = false
  const server = createServer((near) => {
    const far = dial(port, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    near.on('data', (bytes) => far.write(bytes))
    far.on('data', (bytes) => {
      if (!isDeaf) near.write(bytes)
    })
  })
  const own = await freePort()
  await new Promise<void>((resolve) => server.listen(own, '127.0.0.1', resolve))
  const cut = (): void => {
    isDeaf = false
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(() => {
    cut()
    server.close()
  })
  const deafen = (): void => {
    isDeaf = true
  }
  return { port: own, deafen, cut }
}
