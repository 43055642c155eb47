import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { noMosquittoClients, outcome, Processes } from './processes.ts'

const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-up-'))
const hasIPv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
)

afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

test('pipit up --demo prints three things to try that work as printed, and ends well', async () => {
  const up = processes.pipit(['up', '--demo', '--port', '0'], { npm_lifecycle_event: 'start' })
  const [, port] = await up.says(/a broker on 127\.0\.0\.1:(\d+)/)
  await up.says(/light: off\n/)
  const commands = up.stdout
    .split('\n')
    .filter((line) => /^ {5}\S/.test(line))
    .map((line) => line.trim())
  expect(commands).toEqual([
    `mosquitto_pub -h localhost -p ${port} -t sensors/esp32-s3/led/control -m '{"action":"set_color","r":255,"g":0,"b":0,"w":0}'`,
    `mosquitto_sub -h localhost -p ${port} -t 'sensors/#' -v`,
    `npx pipit pub -h localhost -p ${port} -t sensors/esp32-s3/led/control -m '{"action":"rainbow"}'`,
  ])
  const [turnRed = '', watch = '', rainbow = ''] = commands
  const watcher = noMosquittoClients === undefined ? shell(`exec stdbuf -oL ${watch}`) : undefined
  if (watcher !== undefined) {
    await watcher.says(/^sensors\/esp32-s3\/status online$/m)
    await watcher.says(/^sensors\/esp32-s3\/led\/state \{"on":false/m)
    await watcher.says(/^sensors\/esp32-s3\/temperature \{"temperature":\d+(\.\d+)?,"unit":"°C"\}$/m)
    expect(await outcome(shell(turnRed))).toMatchObject({ code: 0, stderr: '' })
    await watcher.says(/^sensors\/esp32-s3\/led\/state \{"on":true,"r":255,"g":0,"b":0,"w":0/m)
    await up.says(/light: on, r 255, g 0, b 0, w 0, brightness 255\n/)
  }
  // npx would look for what is installed; the launcher it finds is this one.
  const launcher = join(import.meta.dirname, '../bin/pipit.js')
  const node = `"${process.execPath}" --conditions=@pipit/source "${launcher}"`
  expect(await outcome(shell(rainbow.replace('npx pipit', node)))).toMatchObject({ code: 0, stderr: '' })
  await up.says(/, rainbow\n/)
  expect(await up.kill('SIGTERM')).toBe(0)
  if (watcher !== undefined) await watcher.says(/^sensors\/esp32-s3\/status offline$/m)
  expect(up.stderr).toBe('')
})

test.skipIf(!hasIPv6)(
  'pipit up listens on 127.0.0.1 and ::1, and PIPIT_PORT and PIPIT_DATA are heard',
  async () => {
    const data = join(folder, 'made/for/it')
    const up = processes.pipit(['up'], { PIPIT_PORT: '0', PIPIT_DATA: data })
    const [, port = '', other] = await up.says(/a broker on 127\.0\.0\.1:(\d+) and \[::1\]:(\d+)/)
    expect(other).toBe(port)
    expect(existsSync(data)).toBe(true)
    for (const host of ['127.0.0.1', '::1', 'localhost']) {
      const done = await processes.done(['pub', '-h', host, '-p', port, '-t', 'a', '-m', 'x'])
      expect(done, host).toEqual({ code: 0, stdout: '', stderr: '' })
    }
    expect(await up.kill('SIGINT')).toBe(0)
  },
)

test('pipit broker --bind listens there only, and SIGINT and SIGTERM end it well', async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const broker = processes.pipit(['broker', '--port', '0', '--bind', '127.0.0.1'])
    await broker.says(/^pipit broker: ready on 127\.0\.0\.1:\d+\n$/)
    expect(await broker.kill(signal)).toBe(0)
    expect(broker.stderr).toBe('')
  }
})

function shell(command: string) {
  return processes.run('sh', ['-c', command])
}
