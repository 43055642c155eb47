// Checks how much a page loads: the whole client, minified and packed as a server sends it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import filePlugin from '@size-limit/file'
import sizeLimit from 'size-limit'
import { bundle } from './browser/bundle.ts'

/** Bytes after gzip. The goal is 16,000; what there is must not grow meanwhile. */
const BUDGET = 27_500
const GOAL = 16_000

const folder = mkdtempSync(join(tmpdir(), 'pipit-size-'))
try {
  const file = join(folder, 'browser.min.js')
  writeFileSync(file, await bundle())
  const [result] = (await sizeLimit([filePlugin], { checks: [{ files: [file], gzip: true }] })) as {
    size?: number
  }[]
  const size = result?.size ?? Number.POSITIVE_INFINITY
  console.log(`The browser build takes ${size} bytes after gzip; ${BUDGET} is the most, ${GOAL} the goal`)
  if (size > BUDGET) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
