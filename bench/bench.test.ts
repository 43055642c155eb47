// Benchmarks run, on little work: this says that they measure something, not what.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')

/** What `npm run bench -- …` does once it has built. */
async function bench(...args: string[]): Promise<string> {
  const script = ['--conditions=@pipit/source', join(root, 'bench', 'run.ts'), ...args]
  const { stdout, stderr } = await run(process.execPath, script, { cwd: root })
  return stdout + stderr
}

test('without a name, lists what there is; README.md names only such', async () => {
  const list = await bench()
  const named = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^npm run bench -- (\w+)/gm)]
  expect(named.length).toBeGreaterThan(0)
  for (const [, name] of named) expect(list).toContain(`  ${name} `)
})

test('an unknown name is refused', async () => {
  await expect(bench('nothing')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('"nothing"'),
  })
})

test('--smoke: every message arrives, once and in order, at our broker, and none is over its budget', {
  timeout: 120_000,
}, async () => {
  const output = await bench('--smoke')
  expect(output.match(/^10? .*(pairs|to 100).* \d+\.\d +\d+ +\d+\.\d +\d+ *$/gm)).toHaveLength(4)
  const lines = output.split('\n').filter((line) => line.endsWith(' delivered'))
  expect(lines).toEqual([
    'p2p0: 20000 of 20000 delivered',
    'p2p1: 20000 of 20000 delivered',
    'p2p2: 5000 of 5000 delivered',
    'fan100: 50000 of 50000 delivered',
    'shared1: 5000 of 5000 delivered',
  ])
})

test('state: what a broker holds comes whole, once and in order; each broker is measured', {
  timeout: 120_000,
}, async () => {
  const output = await bench('state', ...'--rounds 1 --seconds 0.2 --warm-up 0.2 --count 1000'.split(' '))
  expect(output.match(/^pipit +1 +[\d,]+ +[\d,]+ *[\d,]*$/gm)).toHaveLength(4)
  expect(output.match(/^aedes +1 /gm)).toHaveLength(4)
})

// Again if it fails: another program may take the port between the look for a free one and its use.
test('latency prints the median in milliseconds', { retry: 2 }, async () => {
  // Exit code 1 says "above the target", which a busy machine may be.
  const output = await bench('latency', '--messages', '20').catch((error: { stdout: string }) => error.stdout)
  expect(output).toMatch(/median from publish to callback: \d+\.\d{3} ms/)
})

test('client: both libraries publish and receive in a case, and the ratio is shown', async () => {
  for (const name of ['publish QoS 2, 16', 'receive QoS 2, 16']) {
    const output = await bench('client', '--only', name, '--rounds', '1', '--scale', '0.05')
    expect(output).toMatch(new RegExp(`^${name} bytes +[\\d,]+ +[\\d,]+ +\\d+\\.\\d$`, 'm'))
  }
})

test('collectors: starts, envelopes and strokes are measured, and nothing is dropped', {
  timeout: 120_000,
}, async () => {
  const output = await bench('collectors', '--quick').catch((error: { stdout: string }) => error.stdout)
  expect(output).toMatch(/^start\(\), silent broker, longest of 20 +[\d.]+ ms/m)
  expect(output).toMatch(/^mesh, 20000 envelopes to the file +\d+ a CPU second/m)
  expect(output).toMatch(/^strokes stored, 3 s +\d+ a second/m)
  expect(output).toMatch(/^ {2}dropped, most in memory +0, \d+ records/m)
})
