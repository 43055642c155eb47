// Runs what README.md tells a newcomer to type, in its order, on a port of its own.
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { connect } from '@pipit/client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { program } from '../tools/interop.ts'
import { blocksOf } from './blocks.ts'

const root = join(import.meta.dirname, '..')
const commands = blocksOf(readFileSync(join(root, 'README.md'), 'utf8'))
  .filter(({ source }) => source?.file === 'docs/readme.test.ts')
  .flatMap(({ code }) => code.split('\n'))

/** The one command of the README that begins like this. */
function command(beginning: string): string {
  const found = commands.filter((each) => each.startsWith(beginning))
  if (found.length !== 1) throw new Error(`README.md has ${found.length} commands that begin "${beginning}"`)
  return found[0] ?? ''
}

/** node_modules/.bin in front, as npm scripts have it, so that `npm` runs on whatever Node a user has. */
const env = { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH}` }
const shell = promisify(execFile)
const data = mkdtempSync(join(tmpdir(), 'pipit-readme-'))
let started: ChildProcessWithoutNullStreams
let port = ''
let complaints = ''

const here = (line: string) => line.replace('-h localhost', `-h localhost -p ${port}`)

beforeAll(async () => {
  started = spawn('sh', ['-c', `exec ${command('npm start')} -- --port 0 --data ${data}`], {
    cwd: root,
    env,
    detached: true,
  })
  started.stderr.on('data', (bytes) => (complaints += bytes))
  port = await new Promise((resolve, reject) => {
    let output = ''
    started.stdout.on('data', (bytes) => {
      output += bytes
      const [, found] = /Pipit is up: .*?:(\d+)/.exec(output) ?? []
      if (found !== undefined && output.includes('light:')) resolve(found)
    })
    started.on('exit', () => reject(new Error(`npm start ended: ${output}`)))
  })
}, 60_000)

afterAll(async () => {
  if (started.exitCode === null && started.signalCode === null) {
    signalGroup('SIGKILL')
    await once(started, 'exit')
  }
  rmSync(data, { recursive: true, force: true })
})

describe('README.md', () => {
  describe.skipIf(program('mosquitto_pub') === undefined)('commands of mosquitto-clients', () => {
    test('the first command turns the light red', async () => {
      const client = await connect(`mqtt://127.0.0.1:${port}`)
      const states = await client.subscribe('sensors/esp32-s3/led/state')
      await shell('sh', ['-c', here(command('mosquitto_pub'))])
      for await (const state of states) {
        if (state.text().includes('"r":255,"g":0')) break
      }
      await client.close()
    })

    test('the second command shows what the device says', async () => {
      const { stdout } = await shell('sh', ['-c', `${here(command('mosquitto_sub'))} -C 2`])
      expect(stdout).toContain('sensors/esp32-s3/')
    })
  })

  test('the same works with our own command', async () => {
    const client = await connect(`mqtt://127.0.0.1:${port}`)
    const states = await client.subscribe('sensors/esp32-s3/led/state')
    await shell('sh', ['-c', here(command('npx pipit pub'))], { cwd: root, env })
    for await (const state of states) {
      if (state.text().includes('rainbow')) break
    }
    await client.close()
  })

  test('Ctrl-C ends npm start, the broker and the devices, without a complaint', async () => {
    const ended = once(started, 'close')
    signalGroup('SIGINT')
    await ended
    await expect(connect(`mqtt://127.0.0.1:${port}`, { reconnect: false })).rejects.toThrow()
    expect(complaints).not.toMatch(/error/i)
  })
})

/** A terminal sends Ctrl-C to the whole group of processes. */
function signalGroup(signal: NodeJS.Signals): void {
  if (started.pid !== undefined) process.kill(-started.pid, signal)
}
