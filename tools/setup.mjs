// What `npm start` and `npm test` do first: install, find Node 24, build. Plain JavaScript without
// dependencies, because it runs before anything is installed, on Node 20 and later.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
const windows = process.platform === 'win32'
const modules = join(root, 'node_modules')
const stamp = join(modules, '.setup-stamp')

/** Installs what is missing, builds what changed, and gives the path of a Node 24.
 *  Ends the process with one clear line when that is not possible.
 *  @param onBuildFailure is told what the compiler said, instead of ending the process */
export async function setup(onBuildFailure = (output, code) => fail(output, code)) {
  if (major(process.version) < 20)
    fail(`Pipit needs Node 20 or later to begin with; this is ${process.version}`)
  if (!installed()) await install()
  const node = node24()
  await build(node, onBuildFailure)
  return node
}

/** Runs `tsc -b`, which compiles only what changed. */
async function build(node, onFailure) {
  const tsc = join(modules, 'typescript', 'bin', 'tsc')
  const first = !existsSync(join(root, 'packages', 'cli', 'dist', 'index.js'))
  if (first) say('Building …')
  const { code, output } = await run(node, [tsc, '-b'])
  if (code !== 0) onFailure(`${output.trimEnd()}\nThe build failed: the errors are above`, code)
}

/** Runs a program in the foreground: its output is ours, signals reach it, and its exit code is the answer. */
export function foreground(command, args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } })
    const pass = (signal) => child.kill(signal)
    // A terminal sends Ctrl-C to the child as well; to pass it on would count as a second one.
    process.on('SIGINT', process.stdin.isTTY ? () => {} : pass)
    process.on('SIGTERM', pass)
    process.on('SIGHUP', pass)
    whenOrphaned(() => pass('SIGTERM'))
    child.on('error', (error) => fail(`${command} could not be started: ${error.message}`))
    child.on('exit', (code, signal) => resolve(signal === null ? code : 128 + signalNumber(signal)))
  })
}

/** npm passes a signal to the shell between it and us, and that shell dies of it without a word to us: what tells
 *  is that we are given another parent. */
function whenOrphaned(callback) {
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    callback()
  }, 250)
  watch.unref()
}

/** Runs a program quietly and gives its exit code and everything it wrote. */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options })
    let output = ''
    child.stdout.on('data', (bytes) => (output += bytes))
    child.stderr.on('data', (bytes) => (output += bytes))
    child.on('error', (error) => resolve({ code: 127, output: `${command}: ${error.message}` }))
    child.on('close', (code, signal) => resolve({ code: signal === null ? code : 1, output }))
  })
}

/** Ends the process with a line for a person. */
export function fail(message, code = 1) {
  process.stderr.write(`${message}\n`)
  process.exit(code || 1)
}

function say(line) {
  process.stderr.write(`${line}\n`)
}

function installed() {
  if (!existsSync(join(modules, 'vitest')) || !existsSync(join(modules, 'typescript'))) return false
  const wanted = lockHash()
  if (existsSync(stamp)) return readFileSync(stamp, 'utf8') === wanted
  // No stamp, but npm was here by itself: its own record of the tree is newer than the lock file.
  const record = join(modules, '.package-lock.json')
  if (!existsSync(record) || statSync(record).mtimeMs < statSync(lockFile).mtimeMs) return false
  writeFileSync(stamp, wanted)
  return true
}

const lockFile = join(root, 'package-lock.json')

function lockHash() {
  return createHash('sha256').update(readFileSync(lockFile)).digest('hex')
}

async function install() {
  const again = existsSync(modules)
  say(
    again
      ? 'Installing: package-lock.json changed …'
      : 'Installing the packages Pipit is built from, Node 24 among them: once, about half a minute …',
  )
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const { code, output } = await npm(args)
  if (code !== 0) {
    fail(
      `${output.trimEnd()}\n\nnpm ci failed (exit code ${code}): what npm said is above. ` +
        'Is the npm registry reachable? Try `npm ci` by itself, then the same command again.',
    )
  }
  writeFileSync(stamp, lockHash())
}

function npm(args) {
  const cli = process.env.npm_execpath
  const env = { ...process.env, PIPIT_SETUP: '1' }
  if (cli?.endsWith('.js')) return run(process.execPath, [cli, ...args], { env })
  return run(windows ? 'npm.cmd' : 'npm', args, { env, shell: windows })
}

/** The npm package `node`; if its install script was not allowed to run, we run it; else the Node we are. */
function node24() {
  const folder = join(modules, 'node')
  const binary = join(folder, 'bin', windows ? 'node.exe' : 'node')
  if (works(binary)) return binary
  if (major(process.version) >= 24) return process.execPath
  if (existsSync(folder)) {
    say('Fetching Node 24 (npm did not run the install script of the package "node") …')
    spawnSync(process.execPath, ['installArchSpecificPackage'], { cwd: folder, stdio: 'ignore' })
    if (works(binary)) return binary
  }
  return fail(
    `Pipit runs on Node 24; this is ${process.version}, and the npm package "node" did not bring one. ` +
      'Allow its install script (`npm config get ignore-scripts` should say false), or install Node 24, and try again.',
  )
}

function works(binary) {
  if (!existsSync(binary)) return false
  const { stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8' })
  return stdout !== null && major(stdout) >= 24
}

function major(version) {
  return Number.parseInt(version.replace(/^v/, ''), 10)
}

function signalNumber(signal) {
  return { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 1
}
