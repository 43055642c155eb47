import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { encode } from '@pipit/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { type CollectorOptions, type CollectorState, MeshCollector, Store } from '../src/index.ts'
import { testFolder } from './folder.ts'
import { closedPort } from './servers.ts'

function newMesh(options: Omit<CollectorOptions, 'store'>): MeshCollector {
  const store = new Store({ path: join(testFolder(), 'data.db'), batchMs: 10 })
  const mesh = new MeshCollector({ log: () => {}, ...options, store })
  onTestFinished(async () => {
    await mesh.stop()
    await store.close(500)
  })
  return mesh
}

test('mqtts: a certificate that nobody vouches for is refused, one that `ca` has is taken', async () => {
  const folder = testFolder()
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const named = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  execFileSync('openssl', [...request, ...named, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write(encode({ type: 'CONNACK', sessionPresent: false, reasonCode: 0 }, 5))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  const broker = `mqtts://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  const reconnect = { minimumDelayMs: 1, maximumDelayMs: 1 }
  const wary = newMesh({ broker, client: { version: '5.0', reconnect }, alertAfterFailures: 1 })
  const alarmed = new Promise((resolve) => wary.on('alert', resolve))
  wary.start()
  expect(await alarmed).toMatchObject({ error: { cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } } })
  const trusting = newMesh({ broker, client: { version: '5.0', tls: { ca: readFileSync(cert) } } })
  const connected = new Promise((resolve) => trusting.on('connect', resolve))
  trusting.start()
  expect(await connected).toEqual({ version: '5.0' })
})

test('the first delay is within the policy: up to 1 s, shown in `state`', async () => {
  const mesh = newMesh({ broker: `mqtt://127.0.0.1:${await closedPort()}`, alertAfterFailures: 1 })
  const failed = new Promise((resolve) => mesh.on('alert', resolve))
  mesh.start()
  await failed
  // The state follows in the turn after the alert.
  await new Promise((resolve) => setImmediate(resolve))
  const state: CollectorState = mesh.state
  if (state.state !== 'waiting') throw new Error(`the state is ${state.state}`)
  expect(state.failures).toBe(1)
  expect(state.retryInMs).toBeLessThanOrEqual(1_000)
  expect(state.retryInMs).toBeGreaterThanOrEqual(0)
})
