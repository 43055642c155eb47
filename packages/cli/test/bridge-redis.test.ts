import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import type { BrokerProcess } from '../../../tools/torture/brokers.ts'
import { redisProcess, redisPrograms } from '../../../tools/torture/redis.ts'
import { folderOf, Processes } from './bridge-scene.ts'
import { freePort } from './processes.ts'

const processes = new Processes()
afterAll(() => processes.end())

async function redis(...options: string[]): Promise<BrokerProcess> {
  const server = redisProcess(await freePort(), folderOf(onTestFinished), options)
  await server.start()
  onTestFinished(() => server.kill())
  return server
}

/** Of an answer whose body nobody wants. */
async function statusOf(url: string, init?: RequestInit): Promise<number> {
  const response = await fetch(url, init)
  await response.arrayBuffer()
  return response.status
}

describe.skipIf(redisPrograms.length === 0)('pipit bridge with its queue on Redis', () => {
  test('sends commands; its password is in no line, though Redis goes away', async () => {
    const server = await redis('--requirepass', 'hunter2')
    const { port } = await processes.broker()
    const env = { PIPIT_QUEUE: `redis://:hunter2@127.0.0.1:${server.port}` }
    const up = processes.pipit(['bridge', 'up', '--port', '0', '--broker', `mqtt://127.0.0.1:${port}`], env)
    const [, api] = await up.says(/api: ready on (\S+)/)
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify({ topic: 'a/b', payload: 'hello', qos: 2 })
    const sent = await fetch(`${api}/v1/commands`, { method: 'POST', headers, body })
    expect(sent.status).toBe(202)
    const { id } = (await sent.json()) as { id: string }
    for (let status = ''; status !== 'acknowledged'; await pause(20)) {
      const answer = await fetch(`${api}/v1/commands/${id}`)
      status = ((await answer.json()) as { status: string }).status
    }
    await server.kill()
    await up.says(/bridge worker: the queue on redis:\/\/127\.0\.0\.1:\d+\/0: .*\n/, 'stderr')
    const refused = await fetch(`${api}/v1/commands`, { method: 'POST', headers, body })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await refused.text()).not.toContain('hunter2')
    expect(await up.kill('SIGTERM')).toBe(0)
    expect(up.stdout + up.stderr).not.toContain('hunter2')
  }, 120_000)

  test('the commands of docs/guide/bridge.md share a queue', async () => {
    const guide = readFileSync(join(import.meta.dirname, '../../../docs/guide/bridge.md'), 'utf8')
    const [, block = ''] = /bridge-redis\.test\.ts -->\n```sh\n([\s\S]*?)\n```/.exec(guide) ?? []
    const { port } = await processes.broker()
    const server = await redis()
    const lines = block
      .replaceAll('6379', String(server.port))
      .replace('1883', String(port))
      .split('\n')
      .map((line) => line.split(' ').slice(1))
    expect(lines).toHaveLength(2)
    const [first = [], second = []] = lines
    const [, api] = await processes.pipit([...first, '--port', '0']).says(/api: ready on (\S+)/)
    await processes.pipit(second).says(/worker: at work/)
    const body = JSON.stringify({ topic: 'a/b', payload: 'hello' })
    const headers = { 'content-type': 'application/json' }
    for (let status = 0; status !== 200; await pause(20)) {
      // Sent before the worker listened: sent again.
      await statusOf(`${api}/v1/commands`, { method: 'POST', headers, body })
      status = await statusOf(`${api}/v1/topics/a/b`)
    }
  }, 120_000)

  test('ends when that Redis would throw commands away, and says what may be lost otherwise', async () => {
    const { port } = await redis('--maxmemory-policy', 'allkeys-lfu')
    const queue = `redis://127.0.0.1:${port}`
    const { code, stderr } = await processes.done(['bridge', 'api', '--port', '0', '--queue', queue])
    expect([code, stderr]).toEqual([1, expect.stringContaining('maxmemory-policy is allkeys-lfu')])
    const forgetful = await redis('--appendonly', 'no')
    const api = processes.pipit([
      ...['bridge', 'api', '--port', '0', '--queue'],
      `redis://127.0.0.1:${forgetful.port}?name=shop`,
    ])
    await api.says(/ready on/)
    await api.says(/appendonly is no: when Redis ends/, 'stderr')
    expect(await api.kill('SIGTERM')).toBe(0)
  }, 120_000)

  test('speaks TLS to it, and only to who has a certificate that is trusted', async () => {
    const folder = folderOf(onTestFinished)
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const made = processes.run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert],
    ])
    expect(await made.ended).toBe(0)
    const port = await freePort()
    const tls = ['--tls-port', String(port), '--tls-auth-clients', 'no', '--tls-ca-cert-file', cert]
    await redis(...tls, '--tls-cert-file', cert, '--tls-key-file', key)
    const args = ['bridge', 'api', '--port', '0', '--queue', `rediss://localhost:${port}`]
    const trusting = processes.pipit(args, { NODE_EXTRA_CA_CERTS: cert })
    const [, url] = await trusting.says(/ready on (\S+)/)
    expect(await statusOf(`${url}/ready`)).toBe(200)
    expect(trusting.stderr).toBe('')
    const doubting = processes.pipit(args)
    await doubting.says(
      /the queue on rediss:\/\/localhost:\d+\/0: self-signed certificate.*; it goes on/,
      'stderr',
    )
  }, 120_000)

  test('waits for a Redis that is not there yet', async () => {
    const port = await freePort()
    const api = processes.pipit(['bridge', 'api', '--port', '0', '--queue', `redis://127.0.0.1:${port}`])
    await api.says(/ECONNREFUSED.*; it goes on trying\n/, 'stderr')
    const [, url] = await api.says(/ready on (\S+)/)
    const server = redisProcess(port, folderOf(onTestFinished))
    await server.start()
    onTestFinished(() => server.kill())
    while ((await statusOf(`${url}/ready`)) !== 200) await pause(20)
    expect(await api.kill('SIGTERM')).toBe(0)
  })
})
