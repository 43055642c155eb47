import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('leave() hands over all output to a reader that is slow, and keeps the exit code', async () => {
  const leave = JSON.stringify(join(import.meta.dirname, '../src/leave.ts'))
  const program = `import { leave } from ${leave}; process.stdout.write('x'.repeat(5_000_000)); await leave(27)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  // More than a pipe holds; nothing is read until the program has written and wants to end.
  await once(child.stdout, 'readable')
  let length = 0
  for await (const chunk of child.stdout) length += (chunk as Buffer).length
  expect((await ended)[0]).toBe(27)
  expect(length).toBe(5_000_000)
})
