import { spawnSync } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Syslog } from './syslog.ts'

/** Of util-linux, which others are not. */
const version = spawnSync('logger', ['--version'], { encoding: 'utf8' }).stdout
const missing = /util-linux/.test(version ?? '') ? undefined : "skipped: util-linux's logger is not installed"

const sockets: Socket[] = []
afterEach(() => {
  vi.unstubAllEnvs()
  for (const socket of sockets.splice(0)) socket.close()
})

/** A place that the real program sends to, instead of the system's own. */
async function receiver(): Promise<{ next: () => Promise<string>; args: string[] }> {
  const socket = createSocket('udp4')
  sockets.push(socket)
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const came: string[] = []
  let wake: () => void = () => undefined
  socket.on('message', (message) => {
    came.push(message.toString())
    wake()
  })
  const next = async (): Promise<string> => {
    while (came.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return came.shift() ?? ''
  }
  return { next, args: ['--rfc3164', '--udp', '--server', '127.0.0.1', '--port', `${socket.address().port}`] }
}

describe.skipIf(missing !== undefined)(`Syslog (${missing ?? 'logger installed'})`, () => {
  test('each line with its facility and severity, our name and number', async () => {
    const { next, args } = await receiver()
    const syslog = new Syslog('local5', args)
    syslog.write('error', 'broken')
    syslog.write('warn', 'careful <0> now')
    syslog.write('info', 'connected')
    const said = [await next(), await next(), await next()]
    const tag = ` pipit[${process.pid}]: `
    const parts = said.map((line) => [/^<\d+>/.exec(line)?.[0], line.slice(line.indexOf(tag) + tag.length)])
    expect(parts).toEqual([
      ['<171>', 'broken'],
      ['<172>', 'careful <0> now'],
      ['<173>', 'connected'],
    ])
    await syslog.close()
  })

  test('daemon is where it is filed otherwise', async () => {
    const { next, args } = await receiver()
    const syslog = new Syslog(undefined, args)
    syslog.write('info', 'x')
    expect(await next()).toMatch(/^<29>/)
    await syslog.close()
  })

  test('a line that is too long is cut, and none begins in its middle', async () => {
    const { next, args } = await receiver()
    const syslog = new Syslog('user', args)
    syslog.write('info', `${'a'.repeat(1_999)}b<0>forged${'<0>'.repeat(20_000)}`)
    syslog.write('error', 'next')
    expect(await next()).toMatch(/: a{1999}b$/)
    expect(await next()).toMatch(/^<11>.*: next$/)
    await syslog.close()
  })

  test('what was written before the end is said', async () => {
    const { next, args } = await receiver()
    const syslog = new Syslog('user', args)
    for (let i = 0; i < 50; i++) syslog.write('info', `line ${i}`)
    await syslog.close()
    for (let i = 0; i < 50; i++) expect(await next()).toMatch(new RegExp(`: line ${i}$`))
  })

  test('a system without a log: said once, and nothing else ends', async () => {
    const lines: string[] = []
    const stderr = vi
      .spyOn(process.stderr, 'write')
      .mockImplementation((text) => lines.push(String(text)) > 0)
    try {
      const syslog = new Syslog('user', ['--socket', '/no/such/socket'])
      syslog.write('info', 'one')
      while (lines.length === 0) await new Promise((resolve) => setImmediate(resolve))
      syslog.write('info', 'two')
      await syslog.close()
      expect(lines).toEqual([
        expect.stringMatching(
          /^pipit broker: log\.syslog: logger: socket \/no\/such\/socket: .*; lines are lost until it works\n$/,
        ),
      ])
    } finally {
      stderr.mockRestore()
    }
  })
})

test('without the program it is said what is missing', () => {
  vi.stubEnv('PATH', '/no/such/folder')
  expect(() => new Syslog()).toThrow('log.syslog needs the program logger, of util-linux')
})
