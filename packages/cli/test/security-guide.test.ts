import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blocksOf } from '../../../docs/blocks.ts'
import { noMosquittoClients, outcome, Processes, type Running } from './processes.ts'

// Runs every command of docs/guide/security.md, in order, on ports of its own and on loopback only.
const PAGE = 'docs/guide/security.md'
const root = join(import.meta.dirname, '../../..')
const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-security-'))
let broker: Running | undefined
let [plain, tls] = ['', '']

beforeAll(() => {
  const launcher = join(root, 'packages/cli/bin/pipit.js')
  writeFileSync(
    join(folder, 'pipit'),
    `#!/bin/sh\nexec "${process.execPath}" --conditions=@pipit/source "${launcher}" "$@"\n`,
  )
  chmodSync(join(folder, 'pipit'), 0o755)
  for (const name of ['acl.yaml', 'secure.yaml', 'secure-certificates.yaml']) {
    const text = readFileSync(join(root, 'docs/guide', name), 'utf8')
    writeFileSync(
      join(folder, name),
      text.replaceAll(/port: \d+/g, 'port: 0').replaceAll('0.0.0.0', '127.0.0.1'),
    )
  }
})
afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

function shell(command: string): Running {
  const PATH = `${folder}${delimiter}${process.env['PATH'] ?? ''}`
  return processes.run('sh', ['-c', `cd "${folder}" && ${command}`], { PATH, PIPIT_DATA: './pipit-data' })
}

/** What a command ends with, where that is not 0. */
const EXPECTED = new Map([['pipit acl check -f acl.yaml --user hacker write sensors/temp', 1]])

async function start(command: string): Promise<void> {
  await broker?.kill()
  broker = shell(`exec ${command}`)
  const [line] = await broker.says(/ready on .*\n/)
  tls = /tls:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? ''
  plain = /(?:on|and) 127\.0\.0\.1:(\d+)/.exec(line)?.[1] ?? ''
}

describe(PAGE, () => {
  const blocks = blocksOf(readFileSync(join(root, PAGE), 'utf8')).filter(({ language }) => language === 'sh')
  const commands = blocks.flatMap(({ code }) => code.split('\n'))

  test('has commands', () => {
    expect(commands.length).toBeGreaterThan(10)
  })

  test.for(commands)('%s', async (command, { skip }) => {
    if (command.startsWith('pipit broker')) return start(command)
    if (command.startsWith('mosquitto_') && noMosquittoClients !== undefined) skip(noMosquittoClients)
    const here = command.replace('-p 8883', `-p ${tls}`).replace(/^pipit pub/, `pipit pub -p ${plain}`)
    const done = await outcome(shell(here))
    if (!EXPECTED.has(command)) expect(done.stderr).toBe('')
    expect(done.code).toBe(EXPECTED.get(command) ?? 0)
    if (command.startsWith('mosquitto_sub')) expect(done.stdout).toBe('sensors/temp 21\n')
  })

  test('who is revoked is refused, once the broker has seen the list', async ({ skip }) => {
    if (noMosquittoClients !== undefined) skip(noMosquittoClients)
    broker?.child.kill('SIGHUP')
    await broker?.says(/configuration read again/)
    const own = (name: string): string =>
      `--cert pipit-data/certs/${name}.crt --key pipit-data/certs/${name}.key`
    const pub = (name: string) =>
      outcome(
        shell(`mosquitto_pub -p ${tls} --cafile pipit-data/certs/ca.crt ${own(name)} -t sensors/x -m 1`),
      )
    expect(await pub('client')).toMatchObject({ code: 0 })
    expect(await pub('sensor_2')).toMatchObject({ code: 5 })
    await broker?.says(/its certificate \(CN=sensor_2\) is revoked/, 'stderr')
  })
})
