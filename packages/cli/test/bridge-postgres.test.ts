import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { hasPostgres, PostgresServer } from '../../../tools/torture/postgres.ts'
import { folderOf, Processes } from './bridge-scene.ts'
import { freePort } from './processes.ts'

const processes = new Processes()
afterAll(() => processes.end())

const HEADERS = { 'content-type': 'application/json' }

describe.skipIf(!hasPostgres)('pipit bridge with its messages in PostgreSQL', { timeout: 120_000 }, () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await PostgresServer.create()
  }, 120_000)
  afterAll(() => server.remove())

  /** Sends until what was sent is stored. */
  async function stores(api: string, topic: string): Promise<void> {
    const body = JSON.stringify({ topic, payload: 'hello' })
    for (let status = 0; status !== 200; await pause(20)) {
      await fetch(`${api}/v1/commands`, { method: 'POST', headers: HEADERS, body })
      status = (await fetch(`${api}/v1/topics/${topic}`)).status
    }
  }

  test('the commands of docs/guide/bridge.md do what it says', async () => {
    const guide = readFileSync(join(import.meta.dirname, '../../../docs/guide/bridge.md'), 'utf8')
    const [, block = ''] = /bridge-postgres\.test\.ts -->\n```sh\n([\s\S]*?)\n```/.exec(guide) ?? []
    const [, up = ''] = /^PIPIT_DATABASE=\S+ pipit (.*)$/.exec(block) ?? []
    const { port } = await processes.broker()
    const given = up.replace('1883', String(port)).split(' ')
    const env = { PIPIT_DATABASE: server.address('schema=guide') }
    const args = ['--port', '0', '--data', folderOf(onTestFinished)]
    const bridge = processes.pipit([...given, ...args], env)
    const [, api = ''] = await bridge.says(/api: ready on (\S+)/)
    await stores(api, 'a/b')
    const ready = await (await fetch(`${api}/ready`)).json()
    expect(ready).toEqual({ status: 'ready', messages: 'ok', workers: { alive: 1, connected: 1 } })
    await server.stop('SIGKILL')
    await bridge.says(/bridge worker: the database: .*ECONNREFUSED/, 'stderr')
    const sent = await fetch(`${api}/v1/commands`, {
      method: 'POST',
      headers: HEADERS,
      body: '{"topic":"c"}',
    })
    expect(sent.status).toBe(202)
    const away = await fetch(`${api}/v1/messages`)
    expect([away.status, away.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await away.text()).not.toContain('s3cret')
    await server.start()
    await stores(api, 'd/e')
    expect((await fetch(`${api}/v1/topics/a/b`)).status).toBe(200)
    expect(await bridge.kill('SIGTERM')).toBe(0)
    expect(bridge.stdout + bridge.stderr).not.toContain('s3cret')
  })

  test('waits for one that is not there yet', async () => {
    const database = `postgres://pipit:s3cret@127.0.0.1:${await freePort()}/x`
    const args = ['--port', '0', '--data', folderOf(onTestFinished), '--database', database]
    const api = processes.pipit(['bridge', 'api', ...args])
    await api.says(/the database: connect ECONNREFUSED \S+; it goes on trying\n/, 'stderr')
    await api.says(/ready on/)
    expect(await api.kill('SIGTERM')).toBe(0)
    expect(api.stderr).not.toContain('s3cret')
  })

  test('says what is wrong with an address, and not the address', async () => {
    for (const [address, said] of [
      ['postgres://pipit:s3cr/et@127.0.0.1/x', '--database: the address is not right'],
      ['mysql://pipit:s3cret@127.0.0.1/x', '--database: mysql:// is none that is known'],
    ] as const) {
      const { code, stderr } = await processes.done(['bridge', 'api', '--database', address])
      expect([code, stderr.includes(said), stderr.includes('s3c')], stderr).toEqual([1, true, false])
    }
  })
})
