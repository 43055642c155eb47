import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Fields, keyOf, SCENARIO_FIELDS } from '@pipit/device'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { blocksOf } from '../../../docs/blocks.ts'
import { outcome, Processes } from './processes.ts'

// Runs every command of docs/guide/fleet.md, real ones ten times as fast and with fewer devices.
const root = join(import.meta.dirname, '../../..')
const page = readFileSync(join(root, 'docs/guide/fleet.md'), 'utf8')
const commands = blocksOf(page)
  .filter(({ language }) => language === 'sh')
  .flatMap(({ code }) => code.split('\n'))
const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-fleet-guide-'))
let port = ''

beforeAll(async () => {
  port = String((await processes.broker()).port)
  symlinkSync(join(root, 'examples'), join(folder, 'examples'))
})

afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

/** The keys of fields, as a file has them: `network.loss`, `outages[].at`. */
function keysOf(fields: Fields, prefix = ''): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const key = `${prefix}${keyOf(name)}`
    if (field.fields === undefined) return [key]
    return keysOf(field.fields, `${key}${Array.isArray(field.fallback) ? '[]' : ''}.`)
  })
}

test('the page has every key of a scenario, and no other', () => {
  const rows = page.split('\n').filter((line) => /^\| `[a-z_.[\]]+`/.test(line))
  const told = rows.flatMap((line) =>
    [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, key]) => key),
  )
  expect(told.toSorted()).toEqual(keysOf(SCENARIO_FIELDS).toSorted())
})

test('the page has commands', () => {
  expect(commands.length).toBeGreaterThan(7)
})

test.each(commands)('%s', { timeout: 180_000 }, async (command) => {
  const pipit = `"${process.execPath}" --conditions=@pipit/source "${join(root, 'packages/cli/bin/pipit.js')}"`
  const line = command
    .replace(/\bpipit /, `${pipit} `)
    .replace(':1883', `:${port}`)
    .replace('--speed 60', '--speed 600')
  const quick = /--speed/.test(line) ? line.replace('--count 500', '--count 30') : line
  const lasts = /^pipit device sensor/.test(command)
  const begin = lasts ? 'exec ' : ''
  const running = processes.run('sh', ['-c', `cd "${folder}" && ${begin}${quick}`], {
    PIPIT_BROKER_PORT: port,
  })
  if (lasts) {
    await running.says(/sensor: temperature/)
    expect(await running.kill('SIGTERM')).toBe(0)
    return
  }
  const done = await outcome(running)
  expect(done).toMatchObject({ code: 0, stderr: '' })
  expect(done.stdout.length).toBeGreaterThan(0)
})
