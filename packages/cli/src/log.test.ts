import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'

test('logger() writes JSON lines at info, and plain lines of what matters otherwise', async () => {
  const program = `
    const { logger } = await import(${JSON.stringify(new URL('./log.ts', import.meta.url).href)})
    for (const level of ['info', 'warn', 'error']) {
      const log = logger(level)
      log.info({ clientId: 'a\\n"b\\u202e\\u009b' }, 'connected')
      log.warn({}, 'careful\\npipit: forged\\u202e\\u009b')
      log.error({}, 'broken')
    }`
  const child = spawn(process.execPath, ['--conditions=@pipit/source', '--input-type=module', '-e', program])
  let output = ''
  child.stderr.on('data', (bytes: Buffer) => (output += bytes))
  await once(child, 'close')
  const lines = output.trim().split('\n')
  expect(output).not.toMatch(/[\u009b\u202e]/)
  const careful = 'pipit: careful\\u000apipit: forged\\u202e\\u009b'
  expect(lines.slice(3)).toEqual([careful, 'pipit: broken', 'pipit: broken'])
  expect(lines.slice(0, 3).map((line) => JSON.parse(line))).toMatchObject([
    { clientId: 'a\n"b\u202e\u009b', msg: 'connected' },
    { msg: 'careful\npipit: forged\u202e\u009b' },
    { msg: 'broken' },
  ])
})
