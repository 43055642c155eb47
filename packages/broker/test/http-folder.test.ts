import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Broker, type WebSocketListenOptions } from '../src/index.ts'
import { beside, Twins } from './twins.ts'

let folder = ''
let twins: Twins
const brokers: Broker[] = []
beforeEach(() => {
  twins = new Twins()
  folder = mkdtempSync(join(tmpdir(), 'pipit-http-'))
  const site = join(folder, 'site')
  mkdirSync(join(site, 'sub folder'), { recursive: true })
  mkdirSync(join(site, 'empty'))
  mkdirSync(join(site, '.git'))
  writeFileSync(join(site, 'index.html'), '<p>front\n')
  writeFileSync(join(site, 'page.js'), 'let it = 1\n')
  writeFileSync(join(site, 'sub folder', 'index.html'), '<p>below\n')
  writeFileSync(join(site, 'sub folder', 'ä b.txt'), 'text\n')
  writeFileSync(join(site, 'unknown.zzz'), Buffer.from([0, 1, 2]))
  writeFileSync(join(site, 'nothing.css'), '')
  writeFileSync(join(site, '.git', 'config'), 'secret\n')
  writeFileSync(join(site, '.env'), 'secret\n')
  writeFileSync(join(folder, 'outside.txt'), 'secret\n')
  mkdirSync(join(folder, 'site-too'))
  writeFileSync(join(folder, 'site-too', 'a.txt'), 'secret\n')
  symlinkSync('page.js', join(site, 'inner.js'))
  symlinkSync('../outside.txt', join(site, 'outer.txt'))
  symlinkSync('..', join(site, 'up'))
  symlinkSync('../site-too', join(site, 'too'))
  symlinkSync('/etc', join(site, 'etc'))
})
afterEach(async () => {
  await Promise.all(brokers.splice(0).map((broker) => broker.close()))
  await twins.end()
  rmSync(folder, { recursive: true, force: true })
})

async function serve(options: WebSocketListenOptions = {}): Promise<number> {
  const broker = new Broker({ sysInterval: 0 })
  brokers.push(broker)
  return (await broker.listenWebSocket({ port: 0, httpFolder: join(folder, 'site'), ...options })).port
}

/** Sends a request as it stands, which no library would, and gives the answer when the server has closed. */
async function raw(port: number, path: string, method = 'GET', more = ''): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`)
  let said = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    said += text
  })
  socket.on('error', () => undefined)
  await once(socket, 'close')
  return said
}

/** Of both ends, in this process. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.[01] (\d+)/.exec(answer)?.[1])
}

function headerOf(answer: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)\\r$`, 'im').exec(answer)?.[1]
}

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf('\r\n\r\n') + 4)
}

describe('httpFolder', () => {
  test.each([
    ['/', 'text/html; charset=utf-8', '<p>front\n'],
    ['/index.html', 'text/html; charset=utf-8', '<p>front\n'],
    ['/page.js', 'text/javascript; charset=utf-8', 'let it = 1\n'],
    ['/page.js?v=1#x', 'text/javascript; charset=utf-8', 'let it = 1\n'],
    ['/inner.js', 'text/javascript; charset=utf-8', 'let it = 1\n'],
    ['//page.js', 'text/javascript; charset=utf-8', 'let it = 1\n'],
    ['/sub%20folder/', 'text/html; charset=utf-8', '<p>below\n'],
    ['/sub%20folder/%C3%A4%20b.txt', 'text/plain; charset=utf-8', 'text\n'],
    ['/unknown.zzz', 'application/octet-stream', '\0\x01\x02'],
    ['/nothing.css', 'text/css; charset=utf-8', ''],
  ])('GET %s', async (path, type, body) => {
    const answer = await raw(await serve(), path)
    expect([statusOf(answer), headerOf(answer, 'content-type'), bodyOf(answer)]).toEqual([200, type, body])
    expect(headerOf(answer, 'content-length')).toBe(String(body.length))
    expect(headerOf(answer, 'x-content-type-options')).toBe('nosniff')
  })

  test('HEAD gives what GET gives, without the body', async () => {
    const port = await serve()
    const [head, get] = [await raw(port, '/page.js', 'HEAD'), await raw(port, '/page.js')]
    const withoutDate = (text: string): string => text.replace(/^Date: .*$/m, '')
    expect(withoutDate(head)).toBe(withoutDate(get.slice(0, get.indexOf('\r\n\r\n') + 4)))
  })

  test.each([
    '/absent',
    '/page.js/',
    '/page.js/x',
    '/empty/',
    '/../outside.txt',
    '/..%2foutside.txt',
    '/%2e%2e/outside.txt',
    '/sub%20folder/../../outside.txt',
    '/..',
    '/outer.txt',
    '/up/outside.txt',
    '/up',
    '/too/a.txt',
    '/../site-too/a.txt',
    '/etc/passwd',
    '/etc',
    '/.env',
    '/.git/config',
    '/%2eenv',
    '/..\\outside.txt',
    '/page.js%00.html',
    '/%',
    '/%ff',
    '*',
    'page.js',
    'http://x/page.js',
    `/${'x/'.repeat(3000)}`,
    `/${'x'.repeat(5000)}`,
  ])('%s: nothing', async (path) => {
    const answer = await raw(await serve(), path)
    expect(answer).not.toContain('secret')
    expect(answer).not.toContain('root:')
    expect([400, 404]).toContain(statusOf(answer))
  })

  test.each([
    ['/sub%20folder', '/sub%20folder/'],
    ['/empty', '/empty/'],
    ['//empty', '/empty/'],
    ['//sub%20folder?x=//evil.example', '/sub%20folder/'],
  ])('a folder without its slash, %s: to %s', async (path, location) => {
    const answer = await raw(await serve(), path)
    expect([statusOf(answer), headerOf(answer, 'location')]).toEqual([301, location])
  })

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'PROPFIND'])(
    '%s is not for files',
    async (method) => {
      const answer = await raw(await serve(), '/page.js', method, 'Content-Length: 3\r\n')
      expect([statusOf(answer), headerOf(answer, 'allow')]).toEqual([405, 'GET, HEAD'])
    },
  )

  test('a pipe is no file, and nobody waits for it', async () => {
    execFileSync('mkfifo', [join(folder, 'site', 'pipe')])
    expect(statusOf(await raw(await serve(), '/pipe'))).toBe(404)
  })

  test('a large file comes whole, and a reader that goes ends nothing else', async () => {
    const size = 20_000_000
    writeFileSync(join(folder, 'site', 'large.bin'), Buffer.alloc(size, 'abcdefgh'))
    const port = await serve()
    const gone = connect(port, '127.0.0.1')
    gone.write('GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(gone, 'data')
    gone.destroy()
    const body = bodyOf(await raw(port, '/large.bin'))
    expect([body.length, body.slice(-8)]).toEqual([size, 'abcdefgh'])
  })

  test('a connection gets one answer, however much it asks', async () => {
    const request = 'GET /page.js HTTP/1.1\r\nHost: x\r\n\r\n'
    const answer = await raw(await serve(), '/page.js', 'GET', `\r\n${request.repeat(200)}`.slice(0, -2))
    expect(answer.match(/^HTTP\/1\.1 200/gm)).toHaveLength(1)
    expect(answer.match(/let it = 1/g)).toHaveLength(1)
  })

  test('WebSockets come in on the same port, on their path', async () => {
    const port = await serve({ path: '/mqtt' })
    const socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, 'mqtt')
    await once(socket, 'open')
    socket.close()
    await once(socket, 'close')
    expect(statusOf(await raw(port, '/page.js'))).toBe(200)
  })

  test('a reader that takes nothing is closed after the time of silence', async () => {
    writeFileSync(join(folder, 'site', 'large.bin'), Buffer.alloc(50_000_000))
    const port = await serve({ handshakeTimeoutMs: 300 })
    const before = openSockets()
    const socket = connect(port, '127.0.0.1').pause()
    socket.on('error', () => undefined)
    socket.write('GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'readable')
    expect(openSockets()).toBe(before + 2)
    while (openSockets() > before + 1) await new Promise((resolve) => setImmediate(resolve))
    // What the kernel holds is less than the file.
    let taken = 0
    socket.on('data', (chunk: Buffer) => {
      taken += chunk.length
    })
    await once(socket, 'close')
    expect(taken).toBeLessThan(50_000_000)
  })

  test('a folder that is none stops the listener, with its name', async () => {
    const broker = new Broker({ sysInterval: 0 })
    brokers.push(broker)
    const none = join(folder, 'none')
    await expect(broker.listenWebSocket({ port: 0, httpFolder: none })).rejects.toThrow(
      `httpFolder ${none}: there is no such folder`,
    )
    const file = join(folder, 'outside.txt')
    await expect(broker.listenWebSocket({ port: 0, httpFolder: file })).rejects.toThrow(
      `httpFolder ${file} is no folder`,
    )
  })

  test('headers may be as long as is said', async () => {
    const long = `X-Long: ${'x'.repeat(9000)}\r\n`
    expect(statusOf(await raw(await serve(), '/', 'GET', long))).toBe(431)
    expect(statusOf(await raw(await serve({ headerBytes: 16_384 }), '/', 'GET', long))).toBe(200)
  })
})

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === 'IPv6'))
// Its library listens on IPv6, whatever it is told.
const how = hasIpv6 ? beside : "skipped: Mosquitto's WebSockets need IPv6"

describe.skipIf(!hasIpv6)(`http_dir beside Mosquitto's (${how})`, () => {
  test('the same files, and none of the others', async () => {
    const site = join(folder, 'site')
    // Mosquitto 2.0.11 does not start with nothing but WebSockets.
    const conf = `allow_anonymous true\nlistener PORT 127.0.0.1\nlistener PORT 127.0.0.1\nsocket_domain ipv4\nprotocol websockets\nhttp_dir ${site}\n`
    for (const { name, ports } of await twins.start(conf)) {
      const [, port = 0] = ports
      for (const [path, body] of [
        ['/', '<p>front\n'],
        ['/page.js', 'let it = 1\n'],
        ['/inner.js', 'let it = 1\n'],
        ['/sub%20folder/', '<p>below\n'],
      ] as const) {
        const answer = await raw(port, path)
        expect([name, path, statusOf(answer), bodyOf(answer)]).toEqual([name, path, 200, body])
      }
      for (const path of ['/absent', '/outer.txt', '/up/outside.txt', '/etc/passwd', '/../outside.txt']) {
        const answer = await raw(port, path)
        expect([name, path, statusOf(answer) === 200, answer.includes('secret')]).toEqual([
          name,
          path,
          false,
          false,
        ])
      }
      const refused = await raw(port, '/page.js', 'POST', 'Content-Length: 0\r\n')
      expect([name, statusOf(refused) === 200]).toEqual([name, false])
    }
  })
})
