#!/usr/bin/env node
// The launcher. It runs on any Node that has ES modules, so that an old one can say what to do.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import * as module from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'

const NEEDED = 24
const here = dirname(fileURLToPath(import.meta.url))

if (majorOf(process.versions.node) >= NEEDED) await run()
else {
  const node = findNode(here)
  if (node !== undefined) handOver(node)
  else refuse()
}

/** Runs what was built; in a clone that was not built yet, or when asked with
 *  `node --conditions=@pipit/source`, the TypeScript sources, whose types Node takes off. */
async function run() {
  const built = join(here, '../dist/run.js')
  const asked = process.execArgv.some((arg) => /^(--conditions|-C)=@pipit\/source$/.test(arg))
  if (existsSync(built) && !asked) {
    // Node keeps the compiled code between runs: start-up takes 20 to 30 ms less.
    module.enableCompileCache?.()
    const { main } = await import('../dist/run.js')
    return main(process.argv.slice(2))
  }
  // As in vitest.config.ts: V8 of Node 24 sometimes aborts where several threads take types off.
  setFlagsFromString('--wasm-wrapper-tiering-budget=2147483647')
  if (!asked) {
    module.registerHooks({
      resolve: (specifier, context, next) =>
        next(specifier, { ...context, conditions: ['@pipit/source', ...context.conditions] }),
    })
  }
  const { main } = await import('../src/run.ts')
  return main(process.argv.slice(2))
}

/** The Node that the npm package `node` put into a node_modules above, when it is new enough. */
function findNode(from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules/node')
    const program = join(found, 'bin/node')
    if (existsSync(program) && existsSync(join(found, 'package.json'))) {
      const { version } = JSON.parse(readFileSync(join(found, 'package.json'), 'utf8'))
      if (majorOf(version) >= NEEDED) return program
    }
    if (dirname(folder) === folder) return undefined
  }
}

/** Becomes that Node where this one can (22.15 and later), else runs it as a child and ends as it ends. */
function handOver(node) {
  const args = [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  if (typeof process.execve === 'function') process.execve(node, [node, ...args], process.env)
  const child = spawn(node, args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', refuse)
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

function refuse() {
  process.stderr.write(
    `pipit: this is Node ${process.versions.node}, and pipit needs Node ${NEEDED} or later. ` +
      `Install it from https://nodejs.org/, or in this folder with: npm install node@${NEEDED}\n`,
  )
  process.exit(1)
}

function majorOf(version) {
  return Number.parseInt(version, 10)
}
