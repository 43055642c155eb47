// `npm run bench -- NAME ARGS`: runs bench/NAME.ts in a process of its own; without a name, lists them.
// `npm run bench -- --smoke`: those that time nothing, as the tests run them.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const folder = import.meta.dirname
const [name, ...args] = process.argv.slice(2)
const names = readdirSync(folder)
  .filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== basename(import.meta.filename),
  )
  .map((file) => basename(file, '.ts'))

if (name === '--smoke') process.exitCode = start('broker', ['--smoke']) || start('budget', [])
else if (name !== undefined && names.includes(name)) process.exitCode = start(name, args)
else {
  if (name !== undefined) console.error(`There is no benchmark "${name}".`)
  console.error('npm run bench -- NAME, where NAME is one of:')
  console.error('  --smoke    what times nothing: messages arrive, and cost no more than their budget')
  for (const each of names) console.error(`  ${each.padEnd(10)} ${purpose(each)}`)
  process.exitCode = name === undefined ? 0 : 1
}

function start(name: string, args: readonly string[]): number {
  const command = ['--conditions=@pipit/source', join(folder, `${name}.ts`), ...args]
  return spawnSync(process.execPath, command, { stdio: 'inherit' }).status ?? 1
}

/** The first line of comment of a benchmark says what it is for. */
function purpose(name: string): string {
  const lines = readFileSync(join(folder, `${name}.ts`), 'utf8').split('\n')
  const comment = lines.find((line) => /^(\/\/|\/\*\*)/.test(line)) ?? ''
  return comment.replace(/^(\/\/|\/\*\*)\s*/, '').replace(/\s*\*\/$/, '')
}
