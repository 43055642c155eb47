import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RedisEngine } from '@pipit/bridge'
import { afterAll, beforeAll, describe } from 'vitest'
import { type BrokerProcess, freePort } from '../../../tools/torture/brokers.ts'
import { redisProcess, redisProgram } from '../../../tools/torture/redis.ts'
import { engineContract } from './engine-contract.ts'

describe.skipIf(redisProgram === undefined)('with Redis', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-bridge-redis-'))
  let server: BrokerProcess
  let names = 0
  beforeAll(async () => {
    server = redisProcess(await freePort(), folder)
    await server.start()
  })
  afterAll(async () => {
    await server.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  engineContract('RedisEngine', {
    async share() {
      const url = `redis://127.0.0.1:${server.port}?name=contract-${++names}`
      return async () => new RedisEngine({ url })
    },
  })
})
