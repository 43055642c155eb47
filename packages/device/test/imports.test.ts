import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const src = join(import.meta.dirname, '../src')
const sources = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && name !== 'node.ts',
)

test.each(sources)('%s needs no module and no global of Node', (name) => {
  const text = readFileSync(join(src, name), 'utf8')
  expect(text).not.toMatch(/from '(?!@pipit\/|\.)/)
  expect(text).not.toMatch(/\b(process|Buffer|require|setImmediate|__dirname)\b[.(]/)
})
