import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configurationFile, keptMessagesFile } from './node.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipit-device-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function written(text: string): string {
  const path = join(folder, 'config.json')
  writeFileSync(path, text)
  return path
}

describe('configurationFile()', () => {
  const styles = ['{\n  "a": 1,\n  "b": {\n    "c": 2\n  }\n}\n', '{\n\t"a": 1\n}\n', '{"a":1}\n']
  test.each(styles)('brings %j back as it was', async (text) => {
    const path = written(text)
    const store = configurationFile(path)
    await store.save(await store.load())
    expect(readFileSync(path, 'utf8')).toBe(text)
    expect(readdirSync(folder)).toEqual(['config.json'])
  })

  test('keeps mode and link of the file; a new one is for its owner only', async () => {
    const path = written('{}')
    chmodSync(path, 0o640)
    const link = join(folder, 'link.json')
    symlinkSync(path, link)
    await configurationFile(link).save({ a: 1 })
    expect(statSync(path).mode & 0o777).toBe(0o640)
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ a: 1 })
    const fresh = join(folder, 'fresh.json')
    await configurationFile(fresh).save({ a: 1 })
    expect(statSync(fresh).mode & 0o077).toBe(0)
  })

  test('saves one after the other: the last counts', async () => {
    const path = written('{}')
    const store = configurationFile(path)
    await Promise.all(Array.from({ length: 20 }, (_, a) => store.save({ a })))
    expect(await store.load()).toEqual({ a: 19 })
  })

  test('says what is wrong with a file that is none', async () => {
    const path = join(folder, 'config.json')
    await expect(configurationFile(path).load()).rejects.toThrow(`${path} does not exist; a configuration is`)
    written('{"a":')
    await expect(configurationFile(path).load()).rejects.toThrow(`${path} is no JSON:`)
    written('[1]')
    await expect(configurationFile(path).load()).rejects.toThrow(`${path} holds no JSON object, but [1]`)
    written('\uFEFF{"a":1}')
    expect(await configurationFile(path).load()).toEqual({ a: 1 })
  })

  test('leaves nothing behind when it cannot save', async () => {
    const path = join(folder, 'none', 'config.json')
    await expect(configurationFile(path).save({})).rejects.toThrow(/ENOENT/)
    expect(readdirSync(folder)).toEqual([])
  })

  test('a process killed while it saves leaves a whole file', async () => {
    const path = written(JSON.stringify({ n: 0, fill: '' }))
    const program = join(folder, 'writer.mts')
    writeFileSync(
      program,
      `import { configurationFile } from ${JSON.stringify(join(import.meta.dirname, 'node.ts'))}
const store = configurationFile(${JSON.stringify(path)})
for (let n = 1; ; n++) {
  await store.save({ n, fill: 'x'.repeat(200_000) })
  process.stdout.write('.')
}`,
    )
    let last = 0
    for (let round = 0; round < 5; round++) {
      const writer = spawn(process.execPath, ['--conditions=@pipit/source', program])
      let saved = 0
      await new Promise<void>((resolve, reject) => {
        writer.stdout.on('data', (bytes: Buffer) => {
          saved += bytes.length
          if (saved >= 3 + round) resolve()
        })
        writer.once('exit', () => reject(new Error('the writer ended')))
      })
      writer.kill('SIGKILL')
      await once(writer, 'close')
      const { n, fill } = (await configurationFile(path).load()) as { n: number; fill: string }
      expect(fill).toHaveLength(200_000)
      // What was said to be saved is there.
      expect(n).toBeGreaterThanOrEqual(saved)
      last = n
    }
    expect(last).toBeGreaterThan(0)
  }, 60_000)
})

describe('keptMessagesFile()', () => {
  test('keeps messages, and takes a file that is spoilt for empty', async () => {
    const path = join(folder, 'kept.json')
    const store = keptMessagesFile(path)
    expect(await store.load()).toEqual([])
    const messages = [{ topic: 'a', payload: '1', qos: 1 as const }]
    await store.save(messages)
    expect(await store.load()).toEqual(messages)
    writeFileSync(path, '[{"topic":"a","payload":"1"},{"topic":5},7,{"topic":"a","payload":"1","qos":9}]')
    expect(await store.load()).toEqual([{ topic: 'a', payload: '1' }])
    writeFileSync(path, '[{"topic"')
    expect(await store.load()).toEqual([])
  })
})
