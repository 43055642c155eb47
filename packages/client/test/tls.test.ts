import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connect, NodeStream, type TlsOptions as OurOptions } from '../src/index.ts'
import { Peer } from './scripted-broker.ts'
import { makeCertificate, portOf } from './servers.ts'

interface Identity {
  readonly key: Buffer
  readonly cert: Buffer
}

let folder = ''
let server: Identity
let device: Identity
const cleanUps: (() => unknown)[] = []

function identity(name: string): Identity {
  const own = join(folder, name)
  mkdirSync(own)
  makeCertificate(own, name)
  return { key: readFileSync(join(own, 'key.pem')), cert: readFileSync(join(own, 'cert.pem')) }
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipit-tls-'))
  server = identity('localhost')
  device = identity('device-7')
})
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Connects over TLS to a server with these options; gives what the server sees. */
async function dial(theirs: TlsOptions, ours: OurOptions, host = 'localhost'): Promise<TLSSocket> {
  const secured: TLSSocket[] = []
  const listening = createServer({ ...server, ...theirs }, (socket) => {
    secured.push(socket)
    void new Peer(new NodeStream(socket)).welcome().catch(() => {})
  })
  listening.on('tlsClientError', () => {})
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  cleanUps.push(() => listening.close())
  const url = `mqtts://${host}:${portOf(listening)}`
  const client = await connect(url, { version: '5.0', reconnect: false, tls: { ca: server.cert, ...ours } })
  cleanUps.unshift(() => client.close({ force: true }))
  return secured[0]!
}

describe('TLS', () => {
  it('shows the client certificate to a server that wants one', async () => {
    const wanted = { requestCert: true, rejectUnauthorized: true, ca: [device.cert] }
    const socket = await dial(wanted, device)
    expect(socket.authorized).toBe(true)
    expect(socket.getPeerCertificate().subject.CN).toBe('device-7')
    await expect(dial(wanted, {})).rejects.toMatchObject({
      code: 'CONNECTION_LOST',
      cause: { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' },
    })
  })

  it('agrees on a protocol by ALPN', async () => {
    const socket = await dial({ ALPNProtocols: ['mqtt'] }, { ALPNProtocols: ['x-amzn-mqtt-ca', 'mqtt'] })
    expect(socket.alpnProtocol).toBe('mqtt')
    await expect(dial({ ALPNProtocols: ['mqtt'] }, { ALPNProtocols: ['h2'] })).rejects.toMatchObject({
      cause: { code: expect.stringContaining('NO_APPLICATION_PROTOCOL') },
    })
  })

  it('takes no version below the minimum, which is 1.2 unless told otherwise', async () => {
    expect((await dial({ maxVersion: 'TLSv1.2' }, {})).getProtocol()).toBe('TLSv1.2')
    expect((await dial({}, { minVersion: 'TLSv1.3' })).getProtocol()).toBe('TLSv1.3')
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    const weak = { ciphers: 'DEFAULT@SECLEVEL=0' }
    expect((await dial(old, { ...weak, minVersion: 'TLSv1' })).getProtocol()).toBe('TLSv1.1')
    for (const [theirs, ours] of [
      [old, weak],
      [{ maxVersion: 'TLSv1.2' }, { minVersion: 'TLSv1.3' }],
    ] as const) {
      await expect(dial(theirs, ours)).rejects.toMatchObject({
        cause: { code: expect.stringContaining('PROTOCOL_VERSION') },
      })
    }
  })

  it('names the host (SNI), never an address, and checks the name in the certificate', async () => {
    expect((await dial({}, {})).servername).toBe('localhost')
    expect((await dial({}, {}, '127.0.0.1')).servername).toBeFalsy()
    expect(
      (await dial({}, { servername: 'other.example', checkServerIdentity: () => undefined })).servername,
    ).toBe('other.example')
    await expect(dial({}, { servername: 'other.example' })).rejects.toMatchObject({
      cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    })
  })
})
