import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blocksOf } from '../../../docs/blocks.ts'
import { noMosquittoClients, outcome, Processes, type Running } from './processes.ts'

// Runs every command of docs/guide/getting-started.md and docs/guide/cli.md, on a port of its own.
const PAGES = ['docs/guide/getting-started.md', 'docs/guide/cli.md']
const root = join(import.meta.dirname, '../../..')
const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-guides-'))
let port = ''

/** Makes a program of this name for the commands to find. */
function program(name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(folder, name), 0o755)
}

function shell(command: string, env: NodeJS.ProcessEnv = {}): Running {
  const PATH = `${folder}${delimiter}${process.env['PATH'] ?? ''}`
  return processes.run('sh', ['-c', `cd "${folder}" && ${command}`], {
    PATH,
    PIPIT_PORT: port,
    PIPIT_BROKER_PORT: port,
    ...env,
  })
}

beforeAll(async () => {
  program(
    'pipit',
    `exec "${process.execPath}" --conditions=@pipit/source "${join(root, 'packages/cli/bin/pipit.js')}" "$@"`,
  )
  const up = shell('exec pipit up --demo', { PIPIT_PORT: '0' })
  port = (await up.says(/a broker on 127\.0\.0\.1:(\d+)/))[1] ?? ''
  await up.says(/light: off/)
  // Something retained, so that whoever subscribes hears a message.
  expect(await shell('pipit pub -r -t sensors/kept -m kept').ended).toBe(0)
})

afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

/** Commands that go on until they are ended, and what they say first. */
const LASTING: [RegExp, RegExp][] = [
  [/^pipit up/, /Pipit is up/],
  [/^pipit broker/, /ready on/],
  [/^pipit device led/, /connected to/],
]

/** What a command ends with, where that is not 0. */
const EXPECTED = new Map([['pipit sub -t nothing/here -W 1', 27]])

async function works(command: string): Promise<void> {
  const first = LASTING.find(([pattern]) => pattern.test(command))?.[1]
  if (first === undefined) {
    const done = await outcome(shell(command.replace(/^mosquitto_\w+/, `$& -p ${port}`)))
    expect(done.stderr).toBe('')
    expect(done.code).toBe(EXPECTED.get(command) ?? 0)
    return
  }
  const listens = /^pipit (up|broker)/.test(command)
  const running = shell(
    `exec ${command.replace('--port 1883', '--port 0')}`,
    listens ? { PIPIT_PORT: '0' } : {},
  )
  await running.says(first)
  expect(await running.kill('SIGTERM')).toBe(0)
}

describe.each(PAGES)('%s', (page) => {
  const blocks = blocksOf(readFileSync(join(root, page), 'utf8')).filter(({ language }) => language === 'sh')
  const commands = blocks.flatMap(({ code }) => code.split('\n'))

  test('has commands', () => {
    expect(commands.length).toBeGreaterThan(5)
  })

  test.for(commands)('%s', async (command, { skip }) => {
    if (command.startsWith('mosquitto_') && noMosquittoClients !== undefined) skip(noMosquittoClients)
    await works(command)
  })
})
