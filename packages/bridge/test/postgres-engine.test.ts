import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openEngine } from '@pipit/bridge'
import { afterAll, beforeAll, describe } from 'vitest'
import { engineContract } from './engine-contract.ts'
import { hasPostgres, PostgresServer } from './postgres-server.ts'

describe.skipIf(!hasPostgres)('with PostgreSQL', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-bridge-test-'))
  let server: PostgresServer
  let shares = 0
  beforeAll(async () => {
    server = await PostgresServer.create()
  })
  afterAll(async () => {
    await server.remove()
    rmSync(folder, { recursive: true, force: true })
  })

  engineContract('SQLite and PostgreSQL', {
    async share() {
      const name = `s${++shares}`
      const options = { queue: join(folder, name, 'bridge.db'), database: server.address(`schema=${name}`) }
      return async () => openEngine(options)
    },
  })
})
