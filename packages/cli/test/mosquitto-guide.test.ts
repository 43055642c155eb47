import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { blocksOf } from '../../../docs/blocks.ts'
import { freePort, noMosquittoClients, Processes } from './processes.ts'

const processes = new Processes()
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipit-guide-'))
})
afterEach(async () => {
  await processes.end()
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(noMosquittoClients !== undefined)(
  `docs/guide/mosquitto.md (${noMosquittoClients ?? 'run'})`,
  () => {
    test('its commands, with its file', async () => {
      const root = join(import.meta.dirname, '../../..')
      const page = readFileSync(join(root, 'docs/guide/mosquitto.md'), 'utf8')
      const commands =
        blocksOf(page)
          .find(({ language }) => language === 'sh')
          ?.code.split('\n') ?? []
      const passwords = join(folder, 'passwords')
      execFileSync('mosquitto_passwd', ['-c', '-b', passwords, 'ann', 'p'])
      writeFileSync(join(folder, 'acl'), 'user ann\ntopic readwrite #\n')
      const file = join(folder, 'mosquitto.conf')
      const text = readFileSync(join(root, 'docs/guide/mosquitto.conf'), 'utf8')
      const here = text
        .replace('1883', String(await freePort()))
        .replace(/_file (passwords|acl)/g, `_file ${folder}/$1`)
        .replace('persistence_location .', `persistence_location ${folder}`)
      writeFileSync(file, here)
      const run = (command = '') => {
        const words = command.replace('mosquitto.conf', file).split(' ').slice(1)
        return processes.pipit(words, { PIPIT_DATA: undefined })
      }
      const [check, print, start] = commands
      expect(await run(check).ended).toBe(0)
      const printed = run(print)
      expect(await printed.ended).toBe(0)
      expect(printed.stdout).toContain('pattern: sensors/#')
      await run(start).says(/ready on 127\.0\.0\.1/)
    })
  },
)
