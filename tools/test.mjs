// `npm test`: installs and builds what is missing, then every check and every test.
// `npm test -- ARGS` runs vitest alone with these arguments; `--checks` runs the checks alone.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fail, root, run, setup } from './setup.mjs'

const failedChecks = []
// A test needs no build, but for those of the command: go on, and count it.
const node = await setup((output) => {
  process.stdout.write(`FAILED build\n${output}\n\n`)
  failedChecks.push('build')
})
process.env.PATH = `${dirname(node)}${delimiter}${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH}`
const modules = join(root, 'node_modules')
const args = process.argv.slice(2)
const checksOnly = args[0] === '--checks'

const checks = [
  ['layers', ['tools/check-layers.ts']],
  ['types, tests included', [join(modules, 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.tests.json']],
  ['lint and format', [join(modules, '@biomejs', 'biome', 'bin', 'biome'), 'check']],
  ['unused code and dependencies', [join(modules, 'knip', 'bin', 'knip.js')]],
  ['published packages', ['tools/check-packages.ts']],
  ['size of the browser build', ['tools/check-size.ts']],
]

if (args.length === 0 || checksOnly) await runChecks()
if (checksOnly) process.exit(failedChecks.length === 0 ? 0 : 1)
await runTests()

async function runChecks() {
  for (const [name, command] of checks) {
    const begun = performance.now()
    const { code, output } = await run(node, command)
    const seconds = ((performance.now() - begun) / 1000).toFixed(1)
    process.stdout.write(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`)
    if (code !== 0) {
      process.stdout.write(`${output.trimEnd()}\n\n`)
      failedChecks.push(name)
    }
  }
}

async function runTests() {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-test-'))
  const report = join(folder, 'report.json')
  const vitest = [join(modules, 'vitest', 'vitest.mjs'), 'run', ...args]
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const child = spawn(node, [...vitest, ...reporters], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal))
  }
  child.on('close', (code) => {
    const counts = read(report)
    rmSync(folder, { recursive: true, force: true })
    if (counts === undefined) fail('vitest left no report: it ended before its tests did', code ?? 1)
    for (const line of skippedSuites(counts)) process.stdout.write(`${line}\n`)
    if (failedChecks.length > 0) process.stdout.write(`Checks that failed: ${failedChecks.join('; ')}\n`)
    process.stdout.write(`${summary(counts, code)}\n`)
    process.exitCode = code === 0 && failedChecks.length === 0 ? 0 : code || 1
  })
}

/** The counts in one line. A file that could not be loaded and a check that failed are one failure each;
 *  so is an error that no test owns (an unhandled rejection), which vitest tells by its exit code alone. */
function summary({ numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults }, code) {
  const broken = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some(isFailed),
  )
  const failedTests = numFailedTests + broken.length
  const failed = (code !== 0 && failedTests === 0 ? 1 : failedTests) + failedChecks.length
  const skipped = numPendingTests + numTodoTests
  return `${numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** Says by name what did not run, mostly for want of a foreign program. */
function skippedSuites({ testResults }) {
  const suites = new Map()
  for (const { status, ancestorTitles, title } of testResults.flatMap((file) => file.assertionResults)) {
    if (status !== 'skipped' && status !== 'pending') continue
    const name = ancestorTitles[0] || title
    suites.set(name, (suites.get(name) ?? 0) + 1)
  }
  return [...suites].map(([name, count]) => `Skipped: ${name} (${count})`)
}

function isFailed({ status }) {
  return status === 'failed'
}

function read(report) {
  try {
    return JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    return undefined
  }
}
