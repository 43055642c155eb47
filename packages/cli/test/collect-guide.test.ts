import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf } from '../../../docs/blocks.ts'
import { outcome, Processes } from './processes.ts'

// Runs every command of docs/guide/collectors.md, one after the other, in one folder.
const root = join(import.meta.dirname, '../../..')
const page = readFileSync(join(root, 'docs/guide/collectors.md'), 'utf8')
const commands = blocksOf(page).flatMap(({ code }) => code.split('\n'))
const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-collect-guide-'))
let port = 0

beforeAll(async () => {
  port = (await processes.broker()).port
})

afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

test('the page has commands', () => {
  expect(commands.length).toBeGreaterThan(5)
})

test.each(commands)('%s', async (command) => {
  const pipit = `"${process.execPath}" --conditions=@pipit/source "${join(root, 'packages/cli/bin/pipit.js')}"`
  const line = command.replace(/^pipit/, pipit).replace(':1883', `:${port}`)
  const running = processes.run('sh', ['-c', `cd "${folder}" && exec ${line}`])
  if (/^pipit collect (status|query)/.test(command)) {
    const done = await outcome(running)
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout.split('\n').length).toBeGreaterThan(2)
    return
  }
  await running.says(command.includes('--broker') ? /connected, MQTT 5\.0/ : /collecting into/)
  expect(await running.kill('SIGTERM')).toBe(0)
  expect(running.stdout).toMatch(/stopped; \d+ records written, 0 dropped/)
})
