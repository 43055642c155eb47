import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, connect as dial, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connect, httpConnect, type MqttClient, type NodeClientOptions, socks5 } from '../src/index.ts'
import { httpProxy, makeCertificate, socksProxy } from './servers.ts'

const mosquitto = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find(
  (path) => spawnSync(path, ['-h']).error === undefined,
)

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Ports {
  readonly tcp: number
  readonly tls: number
  readonly ws: number
  readonly wss: number
}

describe.skipIf(mosquitto === undefined)(
  "against Debian's mosquitto (skipped where it is not installed)",
  () => {
    let folder = ''
    let broker: ChildProcess
    let ports: Ports
    let ca: Buffer
    const proxies: Server[] = []
    const clients: MqttClient[] = []
    const open = async (url: string, options: NodeClientOptions = {}): Promise<MqttClient> => {
      const client = await connect(url, { connectTimeoutMs: 5000, ...options })
      clients.push(client)
      return client
    }

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'pipit-mosquitto-'))
      ports = { tcp: await freePort(), tls: await freePort(), ws: await freePort(), wss: await freePort() }
      makeCertificate(folder)
      ca = readFileSync(join(folder, 'cert.pem'))
      writeFileSync(join(folder, 'passwords'), 'ann:secret\n')
      spawnSync('mosquitto_passwd', ['-U', join(folder, 'passwords')])
      writeFileSync(join(folder, 'mosquitto.conf'), configuration(folder, ports))
      broker = spawn(mosquitto!, ['-c', join(folder, 'mosquitto.conf')], { stdio: 'ignore' })
      for (const port of Object.values(ports)) await listening(port)
    })
    afterEach(async () => {
      for (const client of clients.splice(0)) await client.close({ force: true })
    })
    afterAll(() => {
      broker.kill()
      for (const proxy of proxies) proxy.close()
      rmSync(folder, { recursive: true })
    })

    const ways: Record<string, () => Promise<[url: string, options: NodeClientOptions]>> = {
      tcp: async () => [`mqtt://127.0.0.1:${ports.tcp}`, {}],
      tls: async () => [`mqtts://localhost:${ports.tls}`, { tls: { ca } }],
      'unix socket': async () => [`unix:${join(folder, 'socket')}`, {}],
      websocket: async () => [`ws://127.0.0.1:${ports.ws}/mqtt`, {}],
      'websocket over tls': async () => [`wss://localhost:${ports.wss}/mqtt`, { tls: { ca } }],
      'an HTTP CONNECT proxy': async () => [
        `mqtt://127.0.0.1:${ports.tcp}`,
        { dial: httpConnect(await httpProxy(proxies)) },
      ],
      'tls through an HTTP CONNECT proxy': async () => [
        `mqtts://localhost:${ports.tls}`,
        { tls: { ca }, dial: httpConnect(await httpProxy(proxies)) },
      ],
      'a SOCKS5 proxy': async () => [
        `mqtt://127.0.0.1:${ports.tcp}`,
        { dial: socks5(await socksProxy(proxies)) },
      ],
      'websocket through a SOCKS5 proxy': async () => [
        `ws://127.0.0.1:${ports.ws}/mqtt`,
        { dial: socks5(await socksProxy(proxies)) },
      ],
    }

    for (const [name, way] of Object.entries(ways)) {
      it(`publishes and receives at each QoS, small and large, over ${name}`, async () => {
        const [url, options] = await way()
        const client = await open(url, options)
        const messages = await client.subscribe(`transport/${name.replace(/[^a-z]/g, '')}`, { qos: 2 })
        const topic = [...messages.granted.keys()][0]!
        // Debian's libwebsockets does not send the rest of what takes it more than one write.
        const large = new Uint8Array(name.startsWith('websocket') ? 3_000 : 300_000).map((_, i) => i * 31)
        for (const payload of [Buffer.from('small'), large, new Uint8Array(0)]) {
          for (const qos of [0, 1, 2] as const) {
            const published = client.publish(topic, payload, { qos })
            const { value } = await messages.next()
            expect(value!.qos).toBe(qos)
            expect(Buffer.compare(value!.payload, payload)).toBe(0)
            await published
          }
        }
        expect(await client.ping()).toBeGreaterThan(0)
        await client.close()
        expect(await client.closed).toBeUndefined()
      })
    }

    for (const version of ['3.1', '3.1.1', '5.0'] as const) {
      it(`speaks ${version}: retained, wildcards, will, persistent session`, async () => {
        const url = `mqtt://127.0.0.1:${ports.tcp}`
        const root = `v${version}`
        const client = await open(url, { version })
        await client.publish(`${root}/state`, 'on', { retain: true, qos: 1 })
        const messages = await client.subscribe(`${root}/+`, { qos: 1 })
        const retained = (await messages.next()).value!
        expect([retained.topic, retained.text(), retained.retain]).toEqual([`${root}/state`, 'on', true])
        const doomed = await open(url, { version, will: { topic: `${root}/will`, payload: 'gone' } })
        await doomed.close({ force: true })
        expect((await messages.next()).value!.text()).toBe('gone')

        const properties = version === '5.0' ? { sessionExpiryInterval: 60 } : undefined
        const persistent = { version, clientId: `persistent${version}`, cleanStart: false, properties }
        const first = await open(url, persistent)
        await first.subscribe(`${root}/kept`, { qos: 1 })
        await first.close()
        await client.publish(`${root}/kept`, 'while away', { qos: 1 })
        const second = await open(url, persistent)
        const kept = await new Promise<string>((resolve) =>
          second.onMessage((message) => resolve(message.text())),
        )
        expect(kept).toBe('while away')
        await second.close({ properties: version === '5.0' ? { sessionExpiryInterval: 0 } : undefined })
        await client.publish(`${root}/state`, '', { retain: true, qos: 1 })
      })
    }

    it('takes credentials from the URL, percent-decoded, and says when they are wrong', async () => {
      const client = await open(`mqtts://ann:s%65cret@localhost:${ports.tls}`, { tls: { ca } })
      expect(client.state).toBe('connected')
      const refused = connect(`mqtts://ann:wrong@localhost:${ports.tls}`, { tls: { ca } })
      await expect(refused).rejects.toMatchObject({ code: 'CONNECTION_REFUSED', reasonCode: 0x87 })
    })

    it('does not trust a certificate that nobody it knows has signed', async () => {
      const untrusted = connect(`mqtts://localhost:${ports.tls}`, { connectTimeoutMs: 5000 })
      await expect(untrusted).rejects.toMatchObject({ cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } })
    })
  },
)

function configuration(folder: string, ports: Ports): string {
  const secure = `certfile ${folder}/cert.pem\nkeyfile ${folder}/key.pem\n`
  return [
    'user root',
    'per_listener_settings true',
    'max_packet_size 1000000',
    `listener ${ports.tcp} 127.0.0.1\nallow_anonymous true`,
    `listener ${ports.tls} 127.0.0.1\nallow_anonymous true\npassword_file ${folder}/passwords\n${secure}`,
    `listener ${ports.ws} 127.0.0.1\nprotocol websockets\nallow_anonymous true`,
    `listener ${ports.wss} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n${secure}`,
    `listener 0 ${folder}/socket\nallow_anonymous true`,
    '',
  ].join('\n')
}

/** Resolves when something listens. */
async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = dial({ port, host: '127.0.0.1' })
    const open = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true))
      socket.on('error', () => resolve(false))
    })
    socket.destroy()
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
