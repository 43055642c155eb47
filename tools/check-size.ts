// Checks how much a page loads: the client that package.json exports to browsers, minified and packed as a server
// sends it; and says what each part adds.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import filePlugin from '@size-limit/file'
import sizeLimit from 'size-limit'
import { PAGE_CLIENT, pageBuild } from './browser/bundle.ts'

/** Bytes after gzip. */
const BUDGET = 16_000

interface Manifest {
  readonly exports: Readonly<
    Record<string, { readonly default: string; readonly browser?: { readonly default: string } }>
  >
}

const folder = mkdtempSync(join(tmpdir(), 'pipit-size-'))
try {
  const files = await pageBuild()
  const file = join(folder, 'client.js')
  writeFileSync(file, files.get('client.js') ?? '')
  const [result] = (await sizeLimit([filePlugin], { checks: [{ files: [file], gzip: true }] })) as {
    size?: number
  }[]
  const size = result?.size ?? Number.POSITIVE_INFINITY
  console.log(`The browser build takes ${size} bytes after gzip; ${BUDGET} is the most`)
  if (size > BUDGET) process.exitCode = 1
  files.delete('client.js')
  const parts = [...files].map(([name, bytes]) => `${name.replace('.js', '')} ${gzipSync(bytes).length}`)
  console.log(`Parts that a page may add: ${parts.join(', ')}`)
  checkExports([...files.keys()])
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** What was measured is what a browser gets. */
function checkExports(parts: readonly string[]): void {
  const root = dirname(dirname(fileURLToPath(import.meta.url)))
  const manifest = readFileSync(join(root, 'packages', 'client', 'package.json'), 'utf8')
  const { exports } = JSON.parse(manifest) as Manifest
  const wanted = new Map([
    ['.', `./${PAGE_CLIENT}`],
    ['./browser', `./${PAGE_CLIENT}`],
    ...parts.map((part) => [`./${part.replace('.js', '')}`, `./${dirname(PAGE_CLIENT)}/${part}`] as const),
  ])
  for (const [name, file] of wanted) {
    const entry = exports[name]
    const is = entry?.browser?.default ?? entry?.default
    if (is === file) continue
    console.error(
      `packages/client/package.json exports ${is} to browsers as "${name}"; ${file} is the page's build`,
    )
    process.exitCode = 1
  }
}
