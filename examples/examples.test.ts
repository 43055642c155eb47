import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Broker } from '@pipit/broker'
import { connect } from '@pipit/client'
import { runLight } from '@pipit/device'
import { afterEach, expect, test } from 'vitest'

const run = promisify(execFile)
const folder = import.meta.dirname
const cleanUps: (() => void | Promise<void>)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** Runs an example as a reader would, but against `port` where it says 1883. */
async function example(name: string, port = 1883): Promise<string> {
  const scratch = mkdtempSync(join(folder, '.run-'))
  cleanUps.push(() => rmSync(scratch, { recursive: true }))
  const file = join(scratch, name)
  writeFileSync(file, readFileSync(join(folder, name), 'utf8').replace(':1883', `:${port}`))
  const { stdout } = await run(process.execPath, ['--conditions=@pipit/source', file])
  return stdout
}

test('turn-red.ts turns the light red and prints the state that it reports', async () => {
  const broker = new Broker()
  const { port } = await broker.listen({ port: 0, host: '127.0.0.1' })
  cleanUps.push(() => broker.close())
  const client = await connect(`mqtt://127.0.0.1:${port}`)
  cleanUps.push(() => client.close())
  const { light } = await runLight(client)

  const lines = (await example('turn-red.ts', port)).trim().split('\n')

  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ r: 255, g: 0, b: 0, w: 0 })
  expect(light.state).toMatchObject({ r: 255, g: 0, b: 0, w: 0 })
})

test('embed-broker.ts runs a broker inside the program', async () => {
  expect(await example('embed-broker.ts')).toBe('greetings/world: hello\n')
})
