import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MeshCollector, Store } from '@pipit/collectors'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { collectView } from './collect-view.ts'

beforeEach(() => void vi.stubEnv('TERM', 'xterm').stubEnv('NO_COLOR', ''))
afterEach(() => void vi.unstubAllEnvs().useRealTimers())

/** What a terminal of so many columns was sent. */
function terminal(isTTY: boolean, columns = 60): { out: NodeJS.WriteStream; sent: string[] } {
  const sent: string[] = []
  const write = (text: string): boolean => sent.push(text) > 0
  return { out: { isTTY, columns, write } as unknown as NodeJS.WriteStream, sent }
}

function collector(): { mesh: MeshCollector; store: Store } {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-view-'))
  const store = new Store({ path: join(folder, 'mesh.db') })
  onTestFinished(async () => {
    await store.close(500)
    rmSync(folder, { recursive: true })
  })
  return { mesh: new MeshCollector({ store }), store }
}

const ERASE = '\r\x1b[2K'

test('collectView() draws its line over itself, four times a second at most and only when it has changed', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const { mesh, store } = collector()
  const { out, sent } = terminal(true)
  const view = collectView(out, mesh, store)
  expect(sent).toEqual([])
  vi.advanceTimersByTime(250)
  expect(sent).toEqual([`${ERASE}mesh: idle | 0 attempts | 0 messages | 0 written | 0 waitin`])
  vi.advanceTimersByTime(10_000)
  expect(sent).toHaveLength(1)
  for (let i = 0; i < 1000; i++) mesh.ingest({ topic: 'nothing', payload: new Uint8Array(0) })
  expect(sent).toHaveLength(1)
  vi.advanceTimersByTime(250)
  expect(sent).toHaveLength(2)
  expect(sent[1]).toContain('1000 messages')
  // A note stands above the line, which is drawn again at once.
  view.note('mesh: connected')
  expect(sent.slice(2)).toEqual([`${ERASE}mesh: connected\n`, sent[1]])
  view.end()
  expect(sent.at(-1)).toBe(ERASE)
  const before = sent.length
  mesh.ingest({ topic: 'nothing', payload: new Uint8Array(0) })
  vi.advanceTimersByTime(10_000)
  expect(sent).toHaveLength(before)
})

test('collectView() writes only notes where nobody watches', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const { mesh, store } = collector()
  const { out, sent } = terminal(false)
  const view = collectView(out, mesh, store)
  vi.advanceTimersByTime(10_000)
  view.note('mesh: connected')
  view.end()
  expect(sent).toEqual(['mesh: connected\n'])
})
