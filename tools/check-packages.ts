// Checks that what would be published loads and types for those who install it: publint and
// @arethetypeswrong/cli over each package that others import, packed as npm packs it.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writePageBuild } from './browser/bundle.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const PACKAGES = ['protocol', 'client', 'device', 'broker', 'links', 'collectors', 'bridge']

const folder = mkdtempSync(join(tmpdir(), 'pipit-pack-'))
try {
  // What browsers get is part of the client's package.
  await writePageBuild()
  const packed = execFileSync(
    'npm',
    [
      'pack',
      '--json',
      '--ignore-scripts',
      `--pack-destination=${folder}`,
      ...PACKAGES.map((name) => `--workspace=packages/${name}`),
    ],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  )
  for (const tarball of tarballs(packed)) check(join(folder, tarball))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function tarballs(json: string): string[] {
  // npm 10 gives a list, npm 11 an object keyed by name.
  const answer = JSON.parse(json) as Record<string, { filename: string }> | { filename: string }[]
  return Object.values(answer).map(({ filename }) => filename)
}

function check(tarball: string): void {
  // Only ES modules are published, so what a CommonJS importer of old would see is no fault.
  tool('publint', tarball, ['publint/src/cli.js', 'run', tarball, '--strict'])
  tool('attw', tarball, [
    '@arethetypeswrong/cli/dist/index.js',
    tarball,
    '--profile',
    'esm-only',
    '--no-color',
    '--format',
    'ascii',
  ])
}

function tool(name: string, tarball: string, [script = '', ...args]: string[]): void {
  const path = join(root, 'node_modules', script)
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], { encoding: 'utf8' })
  if (status === 0) return
  console.error(`${name} refused ${basename(tarball)}\n${stdout}${stderr}`)
  process.exitCode = 1
}
