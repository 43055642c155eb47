// What `ssl`, `username` and `password` mean, with a broker that insists on them.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { program } from '../../../tools/interop.ts'
import { DeviceClient, type DeviceClientOptions, setupMqtt } from '../src/index.ts'

const [mosquitto, passwords, openssl] = ['mosquitto', 'mosquitto_passwd', 'openssl'].map(program)
const missing = mosquitto === undefined || passwords === undefined || openssl === undefined

describe.skipIf(missing)("Debian's Mosquitto with TLS and a password (skipped without it or openssl)", () => {
  let folder = ''
  let port = 0
  let broker: ChildProcess
  let ca = ''

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pipit-secure-'))
    port = await freePort()
    makeCertificate(folder)
    ca = readFileSync(join(folder, 'cert.pem'), 'utf8')
    execFileSync(passwords ?? '', ['-b', '-c', join(folder, 'passwords'), 'ann', 'secret'], {
      stdio: 'ignore',
    })
    const lines = [
      `listener ${port} 127.0.0.1`,
      `certfile ${folder}/cert.pem`,
      `keyfile ${folder}/key.pem`,
      'allow_anonymous false',
      `password_file ${folder}/passwords`,
      'user root',
    ]
    writeFileSync(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`)
    broker = spawn(mosquitto ?? '', ['-v', '-c', join(folder, 'mosquitto.conf')])
    await says(broker, /mosquitto version .* running/)
  })
  afterAll(async () => {
    if (broker.exitCode === null && broker.signalCode === null) {
      const ended = once(broker, 'close')
      broker.kill()
      await ended
    }
    rmSync(folder, { recursive: true })
  })

  const ann = { clientId: 'porch', server: 'localhost', user: 'ann', password: 'secret' }
  const client = (options: Partial<DeviceClientOptions>) => new DeviceClient({ ...ann, port, ...options })

  test('tls: { ca } connects, and works', async () => {
    const device = client({ tls: { ca } })
    expect(await device.connect()).toBe(true)
    await device.publish('home/porch', '21', { qos: 1, retain: true })
    expect((await device.readTopic('home/porch'))?.text()).toBe('21')
    await device.disconnect()
  })

  const wrong: [string, () => Partial<DeviceClientOptions>, RegExp][] = [
    ['a certificate that nobody trusts', () => ({ tls: true }), /self.signed certificate/],
    ['a wrong password', () => ({ tls: { ca }, password: 'guess' }), /[Nn]ot authori[sz]ed/],
    ['no TLS', () => ({ tls: false, connectTimeoutMs: 20_000 }), /./],
  ]
  test.each(wrong)('%s: connect() gives false, and failure says why', async (_, options, why) => {
    const device = client(options())
    expect(await device.connect()).toBe(false)
    expect(device.failure?.message).toMatch(why)
  })

  test('setupMqtt() with ssl: true, username and password', async () => {
    const config = () => ({
      client_id: 'porch',
      broker: 'localhost',
      port,
      ssl: true,
      username: 'ann',
      password: 'secret',
    })
    const said: string[] = []
    const say = (line: string): void => void said.push(line)
    const untrusted = await setupMqtt(config(), { say })
    expect(untrusted?.connected).toBe(false)
    expect(said[0]).toMatch(/^no connection to localhost:\d+: .*self.signed certificate/)
    const device = await setupMqtt(config(), { say, client: { tls: { ca } } })
    expect(device?.connected).toBe(true)
    await device?.disconnect()
  })
})

/** Writes cert.pem and key.pem for localhost into a folder. */
function makeCertificate(folder: string): void {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', '-days', '2', ...subject, ...files], {
    stdio: 'ignore',
  })
}

function says(child: ChildProcess, line: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr?.on('data', (bytes) => {
      said += bytes
      if (line.test(said)) resolve()
    })
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`mosquitto ended: ${said}`)))
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
