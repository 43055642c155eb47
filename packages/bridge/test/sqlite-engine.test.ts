import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SqliteEngine } from '@pipit/bridge'
import { afterAll, describe, expect, test } from 'vitest'
import { engineContract } from './engine-contract.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipit-bridge-test-'))
let files = 0
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function newFile(): string {
  return join(folder, `${++files}`, 'bridge.db')
}

engineContract('SqliteEngine', {
  async share() {
    const path = newFile()
    return async () => new SqliteEngine({ path })
  },
})

describe('SqliteEngine', () => {
  test('a full disk refuses what does not fit, and what was there is taken when there is room', async () => {
    const path = newFile()
    const engine = new SqliteEngine({ path, fileLimitBytes: 400_000 })
    const now = Date.now()
    const add = (n: number): Promise<unknown> =>
      engine.commands.add([
        {
          id: `c${n}`,
          topic: 't',
          payload: new Uint8Array(20_000),
          qos: 1,
          retain: false,
          notBefore: now,
          owner: 'o',
          createdAt: now,
        },
      ])
    let accepted = 0
    let refusal: unknown
    while (refusal === undefined && accepted < 100) {
      await add(accepted).then(
        () => accepted++,
        (error: unknown) => (refusal = error),
      )
    }
    expect(refusal).toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    expect(accepted).toBeGreaterThan(3)
    await engine.close()
    const roomy = new SqliteEngine({ path })
    const lease = await roomy.sessions.acquire('publisher', { owner: 'o', now, leaseMs: 1_000 })
    const { commands } = await roomy.commands.claim(lease ?? { session: '', epoch: 0 }, 100, now)
    expect(commands.map(({ id }) => id)).toEqual(Array.from({ length: accepted }, (_, n) => `c${n}`))
    await roomy.close()
  })

  test('a file that is no queue is said so at every call', async () => {
    expect(() => new SqliteEngine({ path: join(folder, 'x\0y') })).toThrow('cannot be made')
    const engine = new SqliteEngine({ path: new URL(import.meta.url).pathname })
    await expect(engine.commands.counts()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
    await engine.close()
  })

  test('a file of the first layout gets what later ones have added', async () => {
    const path = newFile()
    const engine = new SqliteEngine({ path })
    await engine.check()
    await engine.close()
    const file = new DatabaseSync(path)
    file.exec('DROP TABLE workers; PRAGMA user_version = 1')
    file.close()
    const again = new SqliteEngine({ path })
    expect(await again.workers.list(Date.now())).toEqual([])
    await again.close()
  })

  test('a closed engine rejects', async () => {
    const engine = new SqliteEngine({ path: newFile() })
    const begun = engine.messages.end()
    await engine.close()
    expect(await begun).toBe('0')
    await expect(engine.messages.end()).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' })
  })
})
