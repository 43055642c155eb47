import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type MqttClient } from '@pipit/client'
import { encode, Parser } from '@pipit/protocol'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Processes, type Running } from './processes.ts'

const processes = new Processes()
let folder = ''
const clients: MqttClient[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipit-configuration-'))
})
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close({ force: true })))
  await processes.end()
  rmSync(folder, { recursive: true, force: true })
})

/** Writes the file and starts the broker; `port` is that of its first TCP listener. */
async function start(
  yaml: string,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<{ running: Running; file: string; port: number }> {
  const file = join(folder, 'pipit.yaml')
  writeFileSync(file, yaml)
  const data = join(folder, 'data')
  const running = processes.pipit(['broker', '--config', file, ...args], { PIPIT_DATA: data, ...env })
  const [, port] = await running.says(/ready on (?:.* and )?127\.0\.0\.1:(\d+)/)
  return { running, file, port: Number(port) }
}

async function client(port: number, clientId: string): Promise<MqttClient> {
  const connected = await connect(`mqtt://127.0.0.1:${port}`, { clientId, version: '5.0', reconnect: false })
  clients.push(connected)
  return connected
}

const LISTENER = 'listeners:\n  - port: 0\n'

describe('pipit broker --config', () => {
  test('listens where the file says, on TCP, WebSocket and a unix socket', async () => {
    const path = join(folder, 'p.sock')
    const { running } = await start(
      `listeners:\n  - {type: websocket, port: 0}\n  - {type: unix, path: ${path}}\n  - port: 0\n`,
    )
    expect(running.stdout).toMatch(/ready on ws:\/\/127\.0\.0\.1:\d+ and .*p\.sock and 127\.0\.0\.1:\d+/)
    const [, ws] = /ws:\/\/127\.0\.0\.1:(\d+)/.exec(running.stdout) ?? []
    const connected = await connect(`ws://127.0.0.1:${ws}/mqtt`, { clientId: 'w', version: '5.0' })
    clients.push(connected)
    await connected.publish('t', 'x', { qos: 1 })
  })

  test('a mistake: each with its line, exit code 1, and nothing is started', async () => {
    const file = join(folder, 'pipit.yaml')
    writeFileSync(file, 'limits:\n  queuedMessages: many\nsysInteval: 1\n')
    const { code, stdout, stderr } = await processes.done(['broker', '--config', file])
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr.trimEnd().split('\n')).toEqual([
      `pipit broker: ${file}:2: limits.queuedMessages is "many"; it takes a number from 0 on`,
      `pipit broker: ${file}:3: there is no option "sysInteval"; did you mean sysInterval?`,
    ])
  })

  test.each([
    [['--config', '/no/such/file'], {}, '--config /no/such/file: there is no such file'],
    [
      ['--set', 'limits.keepAlive=x'],
      {},
      '--set: limits.keepAlive is "x"; it takes a whole number from 0 to 65535',
    ],
    [['--set', 'limits'], {}, '--set limits: it takes KEY=VALUE'],
    [
      [],
      { PIPIT_LIMITS_KEEP_ALIVE: 'x' },
      'PIPIT_LIMITS_KEEP_ALIVE: limits.keepAlive is "x"; it takes a whole number',
    ],
  ])('%j with %j says what is wrong', async (args, env, fault) => {
    const { code, stderr } = await processes.done(['broker', ...args], '', env)
    expect(code).toBe(1)
    expect(stderr).toContain(`pipit broker: ${fault}`)
  })

  test('option over environment over file', async () => {
    const yaml = `${LISTENER}limits:\n  keepAlive: 10\n  topicAliasMaximum: 5\n  receiveMaximum: 7\n`
    const env = { PIPIT_LIMITS_TOPIC_ALIAS_MAXIMUM: '6', PIPIT_LIMITS_RECEIVE_MAXIMUM: '8' }
    const { port } = await start(yaml, ['--set', 'limits.receiveMaximum=9'], env)
    const socket = createConnection(port, '127.0.0.1')
    socket.write(
      encode({ type: 'CONNECT', protocolVersion: 5, clientId: 'c', cleanStart: true, keepAlive: 60 }, 5),
    )
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    const parser = new Parser({ protocolVersion: 5 })
    parser.push(bytes)
    expect(parser.next()).toMatchObject({
      type: 'CONNACK',
      properties: { serverKeepAlive: 10, topicAliasMaximum: 6, receiveMaximum: 9 },
    })
  })

  test('--port is stronger than the listeners of the file', async () => {
    const { running } = await start('listeners:\n  - {type: websocket, port: 0}\n', ['--port', '0'])
    expect(running.stdout).not.toContain('ws://')
  })
})

describe('signals', () => {
  test('SIGHUP takes what it can, names what it cannot, and keeps connections', async () => {
    const { running, file, port } = await start(`${LISTENER}limits:\n  subscriptionsPerClient: 1\n`)
    const connected = await client(port, 'c')
    await connected.subscribe('a')
    await expect(connected.subscribe('b')).rejects.toMatchObject({ code: 'REQUEST_REFUSED' })
    writeFileSync(file, `${LISTENER}strict: false\nlimits:\n  subscriptionsPerClient: 2\n`)
    running.child.kill('SIGHUP')
    await running.says(/read again; taken: limits\.subscriptionsPerClient; only after a restart: strict\n/)
    await connected.subscribe('b')
  })

  test('SIGHUP with a mistake changes nothing', async () => {
    const { running, file, port } = await start(LISTENER)
    writeFileSync(file, 'limits:\n  keepAlive: soon\n')
    running.child.kill('SIGHUP')
    await running.says(/not taken: .*pipit\.yaml:2: limits\.keepAlive is "soon"/, 'stderr')
    await (await client(port, 'c')).ping()
  })

  test('SIGHUP opens and closes listeners', async () => {
    const { running, file, port } = await start(LISTENER)
    const connected = await client(port, 'c')
    writeFileSync(file, 'listeners:\n  - {type: websocket, port: 0}\n')
    running.child.kill('SIGHUP')
    await running.says(/read again; taken: listeners\n/)
    await expect(client(port, 'd')).rejects.toThrow()
    await connected.ping()
  })

  test('SIGTERM tells clients 0x8B, keeps sessions and ends with 0', async () => {
    const { running, port } = await start(LISTENER)
    const session = { clientId: 'c', version: '5.0', reconnect: false, cleanStart: false } as const
    const properties = { sessionExpiryInterval: 3600 }
    const connected = await connect(`mqtt://127.0.0.1:${port}`, { ...session, properties })
    clients.push(connected)
    await connected.subscribe('t', { qos: 1 })
    const reason = new Promise<number | undefined>((resolve) => {
      connected.onDisconnect((error) => resolve((error as { reasonCode?: number }).reasonCode))
    })
    expect(await running.kill('SIGTERM')).toBe(0)
    expect(await reason).toBe(0x8b)
    const again = await start(LISTENER)
    const parser = new Parser({ protocolVersion: 5 })
    const socket = createConnection(again.port, '127.0.0.1')
    socket.write(
      encode({ type: 'CONNECT', protocolVersion: 5, clientId: 'c', cleanStart: false, keepAlive: 60 }, 5),
    )
    const [bytes] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    parser.push(bytes)
    expect(parser.next()).toMatchObject({ type: 'CONNACK', sessionPresent: true })
  })
})
