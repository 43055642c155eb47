import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort, Processes } from './processes.ts'

const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-errors-'))
const refusals: Server[] = []
let free = 0
let taken = 0

beforeAll(async () => {
  free = await freePort()
  taken = (await processes.broker()).port
  writeFileSync(join(folder, 'file'), '')
})

afterAll(async () => {
  await processes.end()
  for (const server of refusals) server.close()
  rmSync(folder, { recursive: true })
})

/** Ends with this code, says nothing on stdout and one line on stderr, without a stack. */
async function fails(args: readonly string[], code: number, line: RegExp, env?: NodeJS.ProcessEnv) {
  const done = await processes.done(args, '', env)
  expect(done.stderr).toMatch(line)
  expect(done.stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(done.stderr).not.toMatch(/\n\s+at |Error:/)
  expect(done.stdout).toBe('')
  expect(done.code).toBe(code)
}

const usage: [string, string[], RegExp][] = [
  [
    'an unknown command',
    ['brokr'],
    /^pipit: unknown command 'brokr'; did you mean broker\? \(see pipit --help\)\n$/,
  ],
  ['an unknown option of pipit', ['--nope'], /^pipit: unknown option '--nope'/],
  [
    'an unknown option with a near one',
    ['broker', '--prot', '5'],
    /^pipit broker: unknown option '--prot'; did you mean --port\?/,
  ],
  ['an unknown option of up', ['up', '--dmeo'], /^pipit up: unknown option '--dmeo'; did you mean --demo\?/],
  ['an unknown short option', ['pub', '-Z'], /^pipit pub: unknown option '-Z' \(see pipit pub --help\)\n$/],
  [
    'an unknown option of sub',
    ['sub', '--formt', 'x'],
    /^pipit sub: unknown option '--formt'; did you mean --format\?/,
  ],
  [
    'an unknown option of a device',
    ['device', 'led', '--hots', 'x'],
    /unknown option '--hots'; did you mean --host\? \(see pipit device led --help\)\n$/,
  ],
  ['an unknown device', ['device', 'lde'], /^pipit device: no device is called lde; there is: led/],
  ['no device', ['device'], /^pipit device: which device\? there is: led/],
  [
    'an option without its value',
    ['broker', '--port'],
    /^pipit broker: option '-p, --port <port>' argument missing/,
  ],
  [
    'a port that is none',
    ['broker', '--port', '65536'],
    /argument '65536' is invalid\. It takes a whole number from 0 to 65535\./,
  ],
  ['an argument too many', ['broker', 'now'], /^pipit broker: too many arguments/],
  ['pub without a topic', ['pub', '-m', 'x'], /^pipit pub: where to\? Give the topic with -t/],
  ['pub without a message', ['pub', '-t', 'a'], /^pipit pub: send what\? Give one of -m, -n, -f, -s and -l/],
  [
    'pub with two messages',
    ['pub', '-t', 'a', '-m', 'x', '-n'],
    /^pipit pub: give only one of -m, -n, -f, -s and -l/,
  ],
  [
    'pub to a filter',
    ['pub', '-t', 'a/#', '-m', 'x'],
    /^pipit pub: -t: a Topic Name holds no wildcard: "a\/#"/,
  ],
  ['a file that is not there', ['pub', '-t', 'a', '-f', '/nope'], /^pipit pub: -f: \/nope does not exist\n$/],
  ['a folder for a file', ['pub', '-t', 'a', '-f', '/'], /^pipit pub: -f: \/ is a folder\n$/],
  [
    'a certificate that is not there',
    ['sub', '-t', 'a', '--cafile', '/nope'],
    /^pipit sub: --cafile: \/nope: there is no such file \(see pipit sub --help\)\n$/,
  ],
  [
    'keys of a bridge that are not there',
    ['bridge', 'up', '--keys', '/nope'],
    /^pipit bridge: --keys: \/nope: there is no such file \(see pipit bridge up --help\)\n$/,
  ],
  [
    'a configuration that is a folder',
    ['broker', '-c', '/'],
    /^pipit broker: --config \/: it is a folder\n$/,
  ],
  [
    'an address that is none',
    ['broker', '--port', '0', '--insecure', '--bind', 'not an address'],
    /^pipit broker: "not an address" is no address of this machine, nor a name of one; it takes one such as /,
  ],
  [
    'an option of the configuration that is like no other',
    ['broker', '--set', 'foo=1'],
    /^pipit broker: --set: there is no option "foo"\n$/,
  ],
  [
    'a password file that is not there',
    ['passwd', 'list', '-f', '/nope'],
    /^pipit passwd: \/nope: there is no such file; `pipit passwd add USER` makes it\n$/,
  ],
  [
    'an empty password',
    ['passwd', 'add', 'bob'],
    /^pipit passwd: the password is empty; type one, .*--generate/,
  ],
  [
    'a database that is not there',
    ['collect', 'status', '--db', '/nope'],
    /^pipit collect: \/nope: there is no such database; `pipit collect mesh` and /,
  ],
  [
    'a folder for a database',
    ['collect', 'query', 'SELECT 1', '--db', '/'],
    /^pipit collect: \/: it is a folder/,
  ],
  [
    'QoS 3',
    ['pub', '-t', 'a', '-m', 'x', '-q', '3'],
    /argument '3' is invalid\. It takes a whole number from 0 to 2\./,
  ],
  [
    'a version that is none',
    ['sub', '-t', 'a', '-V', '4'],
    /argument '4' is invalid\. Allowed choices are 5, 31, 311,/,
  ],
  [
    'a property of MQTT 5 in 3.1.1',
    ['pub', '-t', 'a', '-m', 'x', '-V', '311', '-D', 'publish', 'content-type', 'x'],
    /-D needs MQTT 5\.0 \(-V mqttv5\), not 311/,
  ],
  [
    'a property that is none',
    ['pub', '-t', 'a', '-m', 'x', '-D', 'publish', 'colour', 'x'],
    /-D publish: it has no property "colour"; it takes/,
  ],
  [
    'a will without a topic',
    ['sub', '-t', 'a', '--will-payload', 'x'],
    /^pipit sub: a will needs --will-topic/,
  ],
  ['a password without a name', ['sub', '-t', 'a', '-P', 'x'], /a password \(-P\) needs a user name \(-u\)/],
  [
    'a kept session without a name',
    ['sub', '-t', 'a', '-c'],
    /a session that is kept \(-c, -x\) needs a client identifier \(-i\)/,
  ],
  ['sub to nothing', ['sub'], /^pipit sub: to what\? Give a topic or filter with -t/],
  ['a filter that is none', ['sub', '-t', 'a/#/b'], /^pipit sub: -t: # is not last: "a\/#\/b"/],
  ['a format that is none', ['sub', '-t', 'a', '-F', '%z'], /^pipit sub: -F has no sequence %z; it takes/],
  ['a URL that is none', ['sub', '-L', 'localhost'], /^pipit sub: -L is "localhost"; it takes mqtt:\/\//],
  [
    'a prefix that is none',
    ['device', 'led', '--prefix', 'a/#'],
    /^pipit device: --prefix is "a\/#"; it takes a topic/,
  ],
]

test.each(usage)('%s: one line and exit code 1', async (_, args, line) => {
  await fails(args, 1, line)
})

test.each(['broker', 'up'])(
  'pipit %s on a port that is taken names it and says what to do',
  async (command) => {
    const line = new RegExp(
      `^pipit ${command}: port ${taken} is taken \\(127\\.0\\.0\\.1:${taken}\\): .* --port ${taken + 1}\n$`,
    )
    await fails([command, '--port', String(taken)], 1, line)
    await fails([command], 1, line, { PIPIT_PORT: String(taken) })
  },
)

test('behind npm start an option is named as npm takes it', async () => {
  const line = new RegExp(`or choose another port, such as \`npm start -- --port ${taken + 1}\`\n$`)
  await fails(['up', '--port', String(taken)], 1, line, { npm_lifecycle_event: 'start' })
})

test('pipit bridge up on a port that is taken ends, instead of trying for ever', async () => {
  const line = new RegExp(
    `^pipit bridge: port ${taken} is taken \\(127\\.0\\.0\\.1\\); choose another with --port\n$`,
  )
  await fails(['bridge', 'up', '--port', String(taken)], 1, line)
})

test('of two brokers on one port and one data folder the second hears of the port', async () => {
  const data = join(folder, 'shared')
  const first = processes.pipit(['up', '--port', '0', '--data', data])
  const [, port = ''] = await first.says(/a broker on 127\.0\.0\.1:(\d+)/)
  for (const command of ['up', 'broker']) {
    const line = new RegExp(`^pipit ${command}: port ${port} is taken `)
    await fails([command, '--port', port, '--data', data], 1, line)
    await fails([command, '--port', '0', '--data', data], 1, /shared is in use by process \d+/)
  }
})

test('pipit broker --data on a file says so', async () => {
  await fails(
    ['broker', '--port', '0', '--data', join(folder, 'file')],
    1,
    /^pipit broker: --data: the folder .*file cannot be made: there is a file of that name\n$/,
  )
})

test.each([
  ['pub', ['pub', '-t', 'a', '-m', 'x']],
  ['sub', ['sub', '-t', 'a']],
  ['device', ['device', 'led']],
])('pipit %s without a broker says where it looked', async (command, args) => {
  const line = new RegExp(
    `^pipit ${command}: no broker answers at localhost:${free} \\(connection refused\\); start one with`,
  )
  await fails([...args, '-p', String(free)], 1, line)
})

/** A server that answers each CONNECT with these bytes and closes. */
async function refusing(...connack: number[]): Promise<string> {
  const server = createServer((socket) => socket.once('data', () => socket.end(Uint8Array.from(connack))))
  refusals.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  return String(typeof address === 'object' && address !== null ? address.port : 0)
}

test('a refused connection ends with the code of its CONNACK: 135 in MQTT 5.0', async () => {
  const port = await refusing(0x20, 3, 0, 0x87, 0)
  const line =
    /^pipit \w+: the broker at 127\.0\.0\.1:\d+ refused the connection: .*Not authorized.*check the user name/
  await fails(['pub', '-h', '127.0.0.1', '-p', port, '-t', 'a', '-m', 'x'], 135, line)
  await fails(['sub', '-h', '127.0.0.1', '-p', port, '-t', 'a'], 135, line)
  await fails(['device', 'led', '-h', '127.0.0.1', '-p', port], 135, line)
})

test('a refused connection ends with the code of its CONNACK: 5 in MQTT 3.1.1', async () => {
  const port = await refusing(0x20, 2, 0, 5)
  await fails(['pub', '-h', '127.0.0.1', '-p', port, '-t', 'a', '-m', 'x', '-V', '311'], 5, /Not authorized/)
})

test('something that is no broker gets one line too', async () => {
  const port = await refusing(...new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await fails(
    ['pub', '-h', '127.0.0.1', '-p', port, '-t', 'a', '-m', 'x'],
    1,
    /^pipit pub: cannot connect to 127\.0\.0\.1:\d+: /,
  )
})

test('--quiet leaves only the exit code', async () => {
  const done = await processes.done(['pub', '-p', String(free), '-t', 'a', '-m', 'x', '--quiet'])
  expect(done).toEqual({ code: 1, stdout: '', stderr: '' })
})

test.each([
  [[]],
  [['--help']],
  [['help']],
  [['up', '--help']],
  [['help', 'broker']],
  [['pub', '--help']],
  [['sub', '--help']],
  [['device', '--help']],
  [['device', 'led', '--help']],
])('pipit %j prints help and ends well', async (args) => {
  const done = await processes.done(args)
  expect(done.stdout).toMatch(/^Usage: pipit/)
  expect(done).toMatchObject({ code: 0, stderr: '' })
})
