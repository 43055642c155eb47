import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Broker } from '@pipit/broker'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const run = promisify(execFile)
const smoke = join(import.meta.dirname, '../../../tools/smoke-client.mjs')
const wanted = process.env.CI === 'true' || process.env.PIPIT_NODE_VERSIONS !== undefined

/** Brings a Node of this major version by npm's package `node`; it stays in the machine's temporary folder.
 *  @returns the program, or what stood in the way */
async function bring(major: number): Promise<{ program: string } | { reason: string }> {
  const folder = join(tmpdir(), 'pipit-node-versions', String(major))
  const program = join(folder, 'node_modules', 'node', 'bin', 'node')
  if (existsSync(program)) return { program }
  mkdirSync(folder, { recursive: true })
  try {
    const quiet = ['--no-save', '--no-audit', '--no-fund', '--loglevel=error']
    await run('npm', ['install', ...quiet, '--prefix', folder, `node@${major}`], { timeout: 120_000 })
  } catch (error) {
    return { reason: `npm could not bring it: ${String(error).split('\n')[0]}` }
  }
  return existsSync(program) ? { program } : { reason: 'npm ran no install script, so there is no program' }
}

describe.skipIf(!wanted)(
  'the built client on other versions of Node (PIPIT_NODE_VERSIONS=1 runs them)',
  () => {
    const broker = new Broker()
    const urls: string[] = []
    let folder = ''

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'pipit-smoke-'))
      const tcp = await broker.listen({ port: 0, host: '127.0.0.1' })
      const webSocket = await broker.listenWebSocket({ port: 0, host: '127.0.0.1' })
      urls.push(`mqtt://127.0.0.1:${tcp.port}`, `ws://127.0.0.1:${webSocket.port}/mqtt`)
    })
    afterAll(async () => {
      await broker.close()
      rmSync(folder, { recursive: true, force: true })
    })

    for (const major of [20, 22, 24, 26]) {
      test(`Node ${major}`, { timeout: 180_000 }, async (context) => {
        const brought = await bring(major)
        if ('reason' in brought) return context.skip(brought.reason)
        const { stdout } = await run(brought.program, [smoke, join(folder, `store${major}`), ...urls])
        const lines = stdout.trim().split('\n')
        expect(lines).toHaveLength(5)
        for (const line of lines) expect(line).toMatch(new RegExp(`^v${major}\\..* ok$`))
      })
    }
  },
)
