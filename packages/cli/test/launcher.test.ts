import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { outcome, Processes } from './processes.ts'

const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-launcher-'))
const launcher = join(import.meta.dirname, '../bin/pipit.js')

afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

/** A Node on this machine that is too old for pipit and new enough for the launcher. */
const oldNode = [...new Set((process.env['PATH'] ?? '').split(delimiter)), '/usr/bin']
  .map((each) => join(each, 'node'))
  .find((node) => {
    const { stdout, status } = spawnSync(node, ['--version'], { encoding: 'utf8' })
    const major = Number(/^v(\d+)/.exec(stdout ?? '')?.[1])
    return status === 0 && major >= 18 && major < 24
  })
const why = oldNode === undefined ? 'skipped: there is no Node 18 to 23 on this machine' : 'there is one'

describe.skipIf(oldNode === undefined)(`with an older Node (${why})`, () => {
  const old = oldNode ?? ''

  test('the launcher goes on with the Node 24 of node_modules', async () => {
    expect(await outcome(processes.run(old, [launcher, '--version']))).toMatchObject({ code: 0, stderr: '' })
    const done = await outcome(processes.run(old, [launcher, 'pub', '-t', 'a']))
    expect(done.code).toBe(1)
    expect(done.stderr).toMatch(/^pipit pub: send what\?/)
  })

  test('and ends as that ends, at a signal too', async () => {
    const broker = processes.run(old, [launcher, 'broker', '--port', '0'])
    await broker.says(/ready on/)
    expect(await broker.kill('SIGTERM')).toBe(0)
  })

  test('where there is none it says in one line what to do', async () => {
    cpSync(launcher, join(folder, 'bin/pipit.js'))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    const done = await outcome(processes.run(old, [join(folder, 'bin/pipit.js'), 'up']))
    expect(done.stderr).toMatch(
      /^pipit: this is Node \d+\.\d+\.\d+, and pipit needs Node 24 or later\. Install it .*\n$/,
    )
    expect(done).toMatchObject({ code: 1, stdout: '' })
  })
})

test('pipit --version says the version of the package', async () => {
  const done = await processes.done(['--version'])
  expect(done).toMatchObject({ code: 0, stderr: '' })
  expect(done.stdout).toMatch(/^\d+\.\d+\.\d+/)
})
