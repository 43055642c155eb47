import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { blocksOf } from '../../../docs/blocks.ts'
import { Processes } from './processes.ts'

const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-store-'))
const data = join(folder, 'data')

/** A store with a session, queued messages and retained ones. */
beforeAll(async () => {
  const { running, port } = await processes.broker('--data', data)
  const p = ['-p', String(port)]
  await processes.done(['sub', ...p, '-i', 'away', '-c', '-q', '1', '-t', 'jobs/#', '-W', '1'])
  const jobs = Array.from({ length: 300 }, (_, i) => `${i} ${'x'.repeat(1000)}\n`).join('')
  await processes.done(['pub', ...p, '-t', 'jobs/1', '-q', '1', '-l'], jobs)
  await processes.done(['pub', ...p, '-t', 'state/lamp', '-q', '1', '-r', '-m', 'on'])
  await running.kill('SIGKILL')
})

afterEach(async () => processes.end())
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A copy that a test may spoil. */
function copy(name: string): string {
  const to = join(folder, name)
  cpSync(data, to, { recursive: true })
  return to
}

test('pipit store check says what is there', async () => {
  const { code, stdout } = await processes.done(['store', 'check', '--data', data])
  expect(stdout).toMatch(
    /: 1 session, 1 subscription, 301 messages \(300 queued or in flight, 1 retained\), 0 wills, /,
  )
  expect(stdout).toMatch(/No damage found\.\n$/)
  expect(code).toBe(0)
})

test('pipit store export and import make the same store, and a broker goes on with it', async () => {
  const file = join(folder, 'store.jsonl')
  const out = await processes.done(['store', 'export', '--data', data, '--file', file])
  expect(out).toMatchObject({ code: 0, stdout: '' })
  expect(out.stderr).toMatch(/^\d+ records exported to /)
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  expect(JSON.parse(lines[0] ?? '')).toEqual({ store: 'pipit', version: 1 })
  const types = lines.slice(1).map((line) => (JSON.parse(line) as { type: string }).type)
  expect(types.filter((type) => type === 'message')).toHaveLength(301)

  const other = join(folder, 'other')
  expect(
    await processes.done(['store', 'import', '--data', other], readFileSync(file, 'utf8')),
  ).toMatchObject({
    code: 0,
    stderr: `${lines.length - 1} records imported into ${other}\n`,
  })
  expect((await processes.done(['store', 'export', '--data', other])).stdout).toBe(readFileSync(file, 'utf8'))

  const { port } = await processes.broker('--data', other)
  const sub = ['sub', '-p', String(port)]
  const jobs = await processes.done([...sub, '-i', 'away', '-c', '-q', '1', '-t', 'jobs/#', '-C', '300'])
  expect(
    jobs.stdout
      .split('\n')
      .map((line) => Number.parseInt(line, 10))
      .slice(0, 300),
  ).toEqual(Array.from({ length: 300 }, (_, i) => i))
  expect((await processes.done([...sub, '-t', 'state/#', '-C', '1'])).stdout).toBe('on\n')
})

test('pipit store compact gives back what deleted messages took', async () => {
  const to = copy('compact')
  const { port, running } = await processes.broker('--data', to)
  await processes.done([
    'sub',
    '-p',
    String(port),
    '-i',
    'away',
    '-c',
    '-q',
    '1',
    '-t',
    'jobs/#',
    '-C',
    '300',
    '-W',
    '20',
  ])
  await running.kill()
  const { code, stdout } = await processes.done(['store', 'compact', to])
  expect(stdout).toMatch(/: .* before, .* now\n$/)
  expect(code).toBe(0)
  expect(statSync(join(to, 'broker.db')).size).toBeLessThan(100_000)
  expect((await processes.done(['store', 'check', '--data', to])).stdout).toContain('1 retained')
})

test('a damaged store: check ends with 1 and says what; export refuses rather than leave something out', async () => {
  const to = copy('damaged')
  await processes.done(['store', 'compact', '--data', to])
  const file = join(to, 'broker.db')
  const bytes = readFileSync(file)
  const at = bytes.indexOf('150 xxxxxxxx')
  bytes[at + 6] = 0x79
  writeFileSync(file, bytes)
  const check = await processes.done(['store', 'check', '--data', to])
  expect(check.code).toBe(1)
  expect(check.stderr).toMatch(
    /^pipit store: .* is damaged: messages: 1 damaged rows left out, the first is \d+; refs: /,
  )
  const out = await processes.done(['store', 'export', '--data', to])
  expect(out).toMatchObject({ code: 1, stdout: '' })
  expect(readFileSync(file).equals(bytes)).toBe(true)
})

test.each([
  [
    'no data folder',
    ['check', '--data', '/nowhere/at/all'],
    '',
    /^pipit store: \/nowhere\/at\/all is no data folder: there is no broker\.db in it\n$/,
  ],
  ['an unknown subcommand', ['squeeze'], '', /^pipit store: /],
  [
    'an input that is no export',
    ['import', '--data', 'NEW'],
    '{"hello":1}\n',
    /^pipit store: line 1: it is not the first line of an export/,
  ],
  [
    'a broken line',
    ['import', '--data', 'NEW'],
    '{"store":"pipit","version":1}\n{"type":"session","id":0}\n',
    /^pipit store: line 2: "id" is 0; it takes a whole number from 1/,
  ],
  [
    'a record that points nowhere',
    ['import', '--data', 'NEW'],
    '{"store":"pipit","version":1}\n{"type":"retained","topic":"t","message":5}\n',
    /^pipit store: records point to what is not among them/,
  ],
])('%s: one line and exit code 1, and nothing is left behind', async (_, args, input, line) => {
  const fresh = join(folder, 'fresh')
  const { code, stderr } = await processes.done(
    ['store', ...args.map((arg) => (arg === 'NEW' ? fresh : arg))],
    input,
  )
  expect(stderr).toMatch(line)
  expect(code).toBe(1)
  expect(existsSync(join(fresh, 'broker.db'))).toBe(false)
})

test('a store in use is left alone, and import does not replace one', async () => {
  const to = copy('used')
  const { running } = await processes.broker('--data', to)
  const busy = await processes.done(['store', 'check', '--data', to])
  expect(busy).toMatchObject({
    code: 1,
    stderr: `pipit store: ${to} is in use by process ${running.child.pid}; stop it, or use another folder (--data)\n`,
  })
  await running.kill()
  const full = await processes.done(['store', 'import', '--data', to], '{"store":"pipit","version":1}\n')
  expect(full.stderr).toMatch(/holds a store already/)
  expect((await processes.done(['store', 'check', '--data', to])).code).toBe(0)
})

test('the commands of docs/guide/durability.md work, one after the other', async () => {
  const guide = readFileSync(join(import.meta.dirname, '../../../docs/guide/durability.md'), 'utf8')
  const commands = blocksOf(guide).flatMap(({ language, code }) =>
    language === 'sh' ? code.split('\n') : [],
  )
  expect(commands.length).toBeGreaterThan(4)
  const launcher = join(import.meta.dirname, '../bin/pipit.js')
  for (const command of commands) {
    const words = command.replace(
      /^pipit /,
      `exec "${process.execPath}" --conditions=@pipit/source "${launcher}" `,
    )
    const running = processes.run('sh', ['-c', `cd "${folder}" && ${words}`], { PIPIT_PORT: '0' })
    if (!command.startsWith('pipit broker')) expect(await running.feed().ended, command).toBe(0)
    else {
      await running.says(/ready on/)
      expect(await running.kill()).toBe(0)
    }
  }
  expect(existsSync(join(folder, 'pipit-new', 'broker.db'))).toBe(true)
})
