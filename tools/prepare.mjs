// After `npm ci` and `npm install`: leaves a build behind. Says nothing and changes nothing where the
// compiler is absent (`npm ci --omit=dev`) or the one who installs builds by itself.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './setup.mjs'

const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
if (process.env.PIPIT_SETUP === undefined && existsSync(tsc)) {
  const { code, output } = await run(process.execPath, [tsc, '-b'])
  // A type error must not make an install fail: the build says it again when it is asked for.
  if (code !== 0) process.stderr.write(`${output.trimEnd()}\nInstalled, but the build failed: see above\n`)
}
