import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '@pipit/client'
import { afterAll, describe, expect, test } from 'vitest'
import { Processes } from './processes.ts'

// Whatever is said about a configuration, right or wrong, and by whom: no secret is in it.
const SECRET = 'hunter2hunter2'
const HEX = 'c0ffeec0ffeec0ffee'
const NUMBER = '31337313373133'
const folder = mkdtempSync(join(tmpdir(), 'pipit-secrets-'))
const processes = new Processes()
afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const LINK = 'links:\n  - name: l\n    addresses: [127.0.0.1:1]\n    topics: [{pattern: a}]\n'
const TLS = 'listeners:\n  - port: 0\n    tls:\n      certificate: a\n      key: b\n'

describe('pipit broker --test-config', () => {
  test.each([
    ['a password that is a number', `${LINK}    remotePassword: ${NUMBER}\n`],
    ['a password that is a list', `${LINK}    localPassword: [${SECRET}]\n`],
    ['a password that is not ended', `${LINK}    remotePassword: "${SECRET}\n`],
    ['a password under a wrong name', `${LINK}    remotePasword: ${SECRET}\n`],
    ['a key that is no hexadecimal', `${LINK}    tls: {pskIdentity: i, psk: ${SECRET}}\n`],
    ['a passphrase that is a number', `${TLS}      passphrase: ${NUMBER}\n`],
    ['a passphrase of no key', `${TLS}      passphrase: ${SECRET}\n`],
    ['a URL that is none', `access:\n  http:\n    url: ftp://user:${SECRET}@localhost/x\n`],
    ['a URL that cannot be read', `access:\n  http:\n    url: "http://user:${SECRET}@localhost:99999/x"\n`],
    ['a URL of keys that is none', `access:\n  jwt:\n    keys: "https://user:${SECRET}@localhost:99999/x"\n`],
  ])('%s', async (_what, yaml) => {
    const { stdout, stderr, code } = await processes.done([
      ...['broker', '--test-config', '--config', file('wrong.yaml', yaml)],
    ])
    expect(code).not.toBe(0)
    expect(stderr).not.toBe('')
    for (const secret of [SECRET, NUMBER]) expect(stdout + stderr).not.toContain(secret)
  })

  test.each([
    ['a bridge with passwords and a fault beside', `remote_password ${SECRET}\nkeepalive_interval x\n`],
    ['a password under a wrong name', `remote_pasword ${SECRET}\n`],
    ['a key that is no hexadecimal', `bridge_identity i\nbridge_psk ${SECRET}\n`],
    ['a key beside certificates', `bridge_identity i\nbridge_psk ${HEX}\nbridge_cafile /nowhere\n`],
  ])('a mosquitto.conf: %s', async (_what, lines) => {
    const conf = `connection c\naddress 127.0.0.1:1\ntopic a out\n${lines}`
    const { stdout, stderr, code } = await processes.done([
      ...['broker', '--test-config', '-c', file('wrong.conf', conf)],
    ])
    expect(code).not.toBe(0)
    for (const secret of [SECRET, HEX]) expect(stdout + stderr).not.toContain(secret)
  })
})

test('a broker that works says no secret either: not its own, not those of clients, not of services', async () => {
  const service = createServer((request, response) => {
    const isKnown = request.headers.authorization === `Basic ${btoa(`user:${SECRET}`)}`
    response.writeHead(isKnown ? 500 : 400).end()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => service.once('listening', resolve))
  const { port: asked } = service.address() as AddressInfo
  const yaml = `${LINK}    remoteUsername: u
    remotePassword: ${SECRET}
listeners:
  - port: 0
audit:
  file: ${join(folder, 'audit.jsonl')}
log: {level: info, connections: true}
access:
  http:
    url: http://user:${SECRET}@127.0.0.1:${asked}/login
  jwt:
    keys: http://user:${SECRET}@127.0.0.1:${asked}/keys
`
  const running = processes.pipit(['broker', '--config', file('right.yaml', yaml)])
  const [, port] = await running.says(/ready on 127\.0\.0\.1:(\d+)/)
  const token = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${Buffer.from(`{"exp":9000000000,"sub":"${SECRET}"}`).toString('base64url')}.${'A'.repeat(86)}`
  for (const password of [SECRET, token]) {
    const login = connect(`mqtt://127.0.0.1:${port}`, { username: 'who', password, reconnect: false })
    await expect(login).rejects.toThrow()
  }
  // With its login, the service answers: with 500.
  await running.says(/127\.0\.0\.1:\d+ answers with 500/, 'stderr')
  await running.says(/the keys for tokens cannot be had/, 'stderr')
  await running.kill('SIGTERM')
  service.close()
  const { readFileSync } = await import('node:fs')
  const all = running.stdout + running.stderr + readFileSync(join(folder, 'audit.jsonl'), 'utf8')
  for (const secret of [SECRET, token, btoa(`user:${SECRET}`)]) expect(all).not.toContain(secret)
})
