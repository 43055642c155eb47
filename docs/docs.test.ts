import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { blocksOf, fileLinks } from './blocks.ts'

const root = join(import.meta.dirname, '..')
const pages = globSync(['*.md', 'docs/**/*.md', 'packages/*/README.md', 'examples/*.md'], { cwd: root })
const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** Says whether a file reads the page and runs what it finds there, or holds each of the commands itself. */
function runs(file: string, page: string, code: string): boolean {
  const text = read(file)
  return text.includes(page) || code.split('\n').every((line) => text.includes(line))
}

describe.each(pages)('%s', (page) => {
  test('takes every code block from a file, or has a test that runs it', () => {
    for (const { line, language, code, source } of blocksOf(read(page))) {
      // A drawing is no code.
      if (language === 'text') continue
      const where = `${page}:${line}`
      expect(source, `${where} needs a comment "from: FILE" or "run by: TEST" in front of it`).toBeDefined()
      if (source === undefined) continue
      expect(existsSync(join(root, source.file)), `${where}: ${source.file} does not exist`).toBe(true)
      if (source.kind === 'from') expect(code, where).toBe(read(source.file).trimEnd())
      else expect(runs(source.file, page, code), `${where}: ${source.file} does not run it`).toBe(true)
    }
  })

  test('links to files that exist', () => {
    for (const target of fileLinks(read(page))) {
      expect(existsSync(join(root, dirname(page), target)), `${page} links to ${target}`).toBe(true)
    }
  })
})

describe('blocksOf()', () => {
  test('finds the language, the line and the source of each block', () => {
    const text = 'a\n\n<!-- from: x/y.ts -->\n```ts\nlet a = 1\n\nlet b = 2\n```\n\n```sh\nls\n```\n'
    expect(blocksOf(text)).toEqual([
      { line: 4, language: 'ts', code: 'let a = 1\n\nlet b = 2', source: { kind: 'from', file: 'x/y.ts' } },
      { line: 10, language: 'sh', code: 'ls', source: undefined },
    ])
  })
})

describe('fileLinks()', () => {
  test('leaves out the web, anchors and what stands in code', () => {
    expect(fileLinks('[a](https://x.org) [b](#c) [d](docs/e.md#f) `[g](h)`')).toEqual(['docs/e.md'])
  })
})
