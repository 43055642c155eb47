import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { folderOf, Processes } from './bridge-scene.ts'
import { freePort } from './processes.ts'

const processes = new Processes()
afterAll(() => processes.end())

async function asked(
  url: string,
  body?: object,
  headers: object = {},
): Promise<{ status: number; body: string }> {
  const init =
    body === undefined
      ? { headers: { ...headers } }
      : {
          method: 'POST',
          body: JSON.stringify(body),
          headers: { 'content-type': 'application/json', ...headers },
        }
  const response = await fetch(url, init)
  return { status: response.status, body: await response.text() }
}

test('pipit bridge up sends commands and stores messages; what is killed is started again', async () => {
  const { port } = await processes.broker()
  const data = folderOf(onTestFinished)
  const args = ['--port', '0', '--broker', `mqtt://127.0.0.1:${port}`, '--data', data]
  const up = processes.pipit(['bridge', 'up', ...args])
  const [, first] = await up.says(/api: ready on (\S+)/)
  await up.says(/worker: at work/)
  const sent = await asked(`${first}/v1/commands`, { topic: 'a/b', payload: 'hello', qos: 2 })
  expect(sent.status).toBe(202)
  const stored = async (api: string | undefined, topic: string): Promise<string> => {
    for (;;) {
      const { status, body } = await asked(`${api}/v1/topics/${topic}`)
      if (status === 200) return JSON.parse(body).payload
      // Stored once the worker listens, which it may not have done yet.
      await asked(`${api}/v1/commands`, { topic, payload: 'hello' })
      await pause(50)
    }
  }
  expect(await stored(first, 'a/b')).toBe('hello')
  const pids = await processes.childrenOf(up)
  expect(pids).toHaveLength(2)
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  const [, second] = await up.says(/api: ready on \S+[\s\S]*api: ready on (\S+)/)
  await up.says(/at work[\s\S]*at work/)
  expect(up.stderr).toMatch(/the bridge's api ended \(SIGKILL\); it is started again in \d+ ms/)
  expect(await stored(second, 'after/it')).toBe('hello')
  expect(await up.kill('SIGTERM')).toBe(0)
}, 120_000)

test('a worker whose broker is not there says so, and what is tried', async () => {
  const args = ['--broker', `mqtt://127.0.0.1:${await freePort()}`, '--data', folderOf(onTestFinished)]
  const worker = processes.pipit(['bridge', 'worker', ...args])
  await worker.says(/no connection to 127\.0\.0\.1:\d+: .*ECONNREFUSED.*; it goes on trying\n/, 'stderr')
  expect(await worker.kill('SIGTERM')).toBe(0)
})

test('a supervisor that is killed takes its processes with it', async () => {
  const { port } = await processes.broker()
  const args = ['--port', '0', '--broker', `mqtt://127.0.0.1:${port}`, '--data', folderOf(onTestFinished)]
  const up = processes.pipit(['bridge', 'up', ...args])
  await up.says(/api: ready/)
  await up.says(/worker: at work/)
  up.child.kill('SIGKILL')
  // Its output is closed when the last of them has ended.
  expect(await up.ended).toBe('SIGKILL')
}, 120_000)

test('pipit up includes the bridge', async () => {
  const up = processes.pipit(['up', '--port', '0'])
  const [, api] = await up.says(/The bridge is up: an HTTP API on (\S+);/)
  const sent = await asked(`${api}/v1/commands`, { topic: 'a/b', payload: 'hello' })
  const { id } = JSON.parse(sent.body)
  for (let status = ''; status !== 'acknowledged'; await pause(20)) {
    status = JSON.parse((await asked(`${api}/v1/commands/${id}`)).body).status
  }
  const { port } = new URL(api ?? '')
  const second = await processes.done(['up', '--port', '0', '--bridge-port', port])
  expect([second.code, second.stderr]).toEqual([1, expect.stringContaining(`port ${port} is taken`)])
  expect(await up.kill('SIGTERM')).toBe(0)
  expect(up.stderr).toBe('')
  const without = processes.pipit(['up', '--port', '0', '--no-bridge'])
  await without.says(/Pipit is up/)
  expect(await without.kill('SIGTERM')).toBe(0)
  expect(without.stdout).not.toContain('bridge')
}, 120_000)

test('pipit bridge api takes keys from a file, and is not open to other machines without', async () => {
  const data = folderOf(onTestFinished)
  const file = join(data, 'keys.json')
  const keys = [{ name: 'robot', key: 'secret', publish: ['cmd/#'], subscribe: [] }]
  writeFileSync(file, JSON.stringify(keys))
  const api = processes.pipit(['bridge', 'api', '--port', '0', '--data', data, '--keys', file])
  const [, url] = await api.says(/api: ready on (\S+)/)
  expect((await asked(`${url}/v1/commands`, { topic: 'cmd/1' })).status).toBe(401)
  const authorization = 'Bearer secret'
  expect((await asked(`${url}/v1/commands`, { topic: 'cmd/1' }, { authorization })).status).toBe(202)
  expect(await api.kill('SIGTERM')).toBe(0)
  const open = await processes.done(['bridge', 'api', '--port', '0', '--data', data, '--bind', '0.0.0.0'])
  expect([open.code, open.stderr]).toEqual([1, expect.stringContaining('say with --keys')])
})

test.each([
  [['bridge'], 'bridge what? there are: api, worker, up'],
  [['bridge', 'x'], 'nothing is called x; there are: api, worker, up'],
  [['bridge', 'worker', '--broker', 'x'], '--broker is "x"; it takes a URL'],
  [['bridge', 'worker', '--listen', 'a/#', '--listen', 'a/b'], 'a/# and a/b overlap'],
  [['bridge', 'api', '--queue', 'nats://x'], 'nats:// is no queue that is known'],
  [['bridge', 'api', '--keys', '/nowhere'], '--keys: /nowhere: there is no such file'],
])('pipit %j says what is wrong', async (args, said) => {
  const { code, stderr } = await processes.done(args)
  expect([code, stderr]).toEqual([1, expect.stringContaining(said)])
})
