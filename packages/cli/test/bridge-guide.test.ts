import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { folderOf, Processes } from './bridge-scene.ts'

const processes = new Processes()
afterAll(() => processes.end())

const guide = join(import.meta.dirname, '../../../docs/guide')
const text = readFileSync(join(guide, 'bridge.md'), 'utf8')
const blocks = [
  ...text.matchAll(/run by: packages\/cli\/test\/bridge-guide\.test\.ts -->\n```sh\n([\s\S]*?)\n```/g),
]
const commands = blocks.flatMap(([, code = '']) => code.split('\n'))

test('the commands of docs/guide/bridge.md do what it says', async () => {
  const [up = '', send = '', last = '', page = ''] = commands
  expect(commands).toHaveLength(4)
  const { port } = await processes.broker()
  const data = folderOf(onTestFinished)
  const given = up.replace('1883', String(port)).replace('pipit ', '').split(' ')
  const bridge = processes.pipit([...given, '--port', '0', '--data', data])
  const [, address = ''] = await bridge.says(/api: ready on (\S+)/)
  await bridge.says(/worker: at work/)
  const shell = async (command: string): Promise<string> => {
    const running = processes.run('sh', ['-c', command.replace('http://127.0.0.1:8081', address)])
    expect(await running.ended).toBe(0)
    return running.stdout
  }
  const { id, status } = JSON.parse(await shell(send))
  expect(status).toBe('queued')
  expect(JSON.parse(await shell(send)).id).toBe(id)
  for (;;) {
    const answer = JSON.parse(await shell(last))
    if (answer.payload === 'on') break
    // Sent before the worker listened: sent again under another key.
    await shell(send.replace('order-17', `order-${Math.random()}`))
  }
  expect(JSON.parse(await shell(page)).messages[0]).toMatchObject({ topic: 'room/1/lamp', payload: 'on' })
  const keys = ['bridge', 'api', '--port', '0', '--data', data, '--keys', join(guide, 'bridge-keys.json')]
  await processes.pipit(keys).says(/ready on/)
}, 120_000)
