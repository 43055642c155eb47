// `npm run conformance`: plays every exchange, then says which statements they cover and which are missing.
// `PIPIT_CONFORMANCE_TARGET=127.0.0.1:1883 npm run conformance` plays them against another server.
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
const args = ['run', 'conformance', ...process.argv.slice(2)]

const played = spawnSync(process.execPath, [vitest, ...args], { cwd: root, stdio: 'inherit' })
await import('./report.ts')
if (played.status !== 0) process.exitCode = 1
