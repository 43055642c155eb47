import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type Outcome, outcome, Processes } from './processes.ts'

const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-new-'))
const launcher = join(import.meta.dirname, '../bin/pipit.js')

afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

/** `pipit device new …` in the folder. */
function make(...args: string[]): Promise<Outcome> {
  const command = `cd "${folder}" && exec "${process.execPath}" --conditions=@pipit/source "${launcher}" device new "$@"`
  return outcome(processes.run('sh', ['-c', command, 'sh', ...args]))
}

/** Runs the project as `npm start` does, on the sources of its packages. */
function start(name: string, ...args: string[]) {
  return processes.run(process.execPath, [
    '--conditions=@pipit/source',
    join(folder, name, 'device.js'),
    ...args,
  ])
}

const json = (path: string) => JSON.parse(readFileSync(join(folder, path), 'utf8')) as Record<string, unknown>

// Each test starts several processes, on a machine that may be busy.
describe('pipit device new', { timeout: 120_000 }, () => {
  test('writes a project that runs: readings, a configuration over MQTT, kept readings', async () => {
    const data = join(folder, 'broker')
    const broker = await processes.broker('--data', data)
    const port = String(broker.port)
    const done = await make('my-sensor', '--broker', `mqtt://127.0.0.1:${port}`)
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout).toMatch(/^my-sensor is written\. To run it:\n {2}cd my-sensor\n {2}npm start\n/)
    expect(json('my-sensor/config.json')).toMatchObject({
      device_id: 'my-sensor',
      mqtt: { broker: '127.0.0.1', port: broker.port },
    })

    const once = await outcome(start('my-sensor', '--once'))
    expect(once).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^sent: 3 sent, 0 kept, radio on for \d+ ms\n$/),
      stderr: '',
    })

    const sub = processes.pipit([
      'sub',
      '-p',
      port,
      '-t',
      'sensors/my-sensor/+',
      '-t',
      'sensors/my-sensor/config/status',
      '-v',
      '-d',
    ])
    await sub.says(/subscribed to.*config\/status/, 'stderr')
    await processes.done([
      'pub',
      '-p',
      port,
      '-r',
      '-t',
      'sensors/my-sensor/config',
      '-m',
      '{"version":2,"update_interval":1}',
    ])
    const running = start('my-sensor')
    await sub.says(/sensors\/my-sensor\/temperature \d+(\.\d+)?\n/)
    await sub.says(/sensors\/my-sensor\/data \{"temperature":[\d.]+,"humidity":[\d.]+,"time":\d+\}\n/)
    await sub.says(/sensors\/my-sensor\/config\/status \{"status":"applied","version":2\}\n/)
    // The new interval is in force: it wakes again.
    await running.says(/(sent: 3 sent.*\n){2}/)
    await broker.running.kill('SIGKILL')
    await running.says(/kept: 0 sent, \d+ kept/)
    await running.says(/^no connection to 127\.0\.0\.1:\d+: /m, 'stderr')
    expect(await running.kill('SIGTERM')).toBe(0)
    const config = json('my-sensor/config.json')
    expect(config).toMatchObject({
      version: 2,
      update_interval: 1,
      mqtt: { reconnect: { attempt_count: 3 } },
    })

    await processes.pipit(['broker', '--port', port, '--bind', '127.0.0.1', '--data', data]).says(/ready/)
    const mqtt = config['mqtt'] as { reconnect: object }
    const changed = { ...config, mqtt: { ...mqtt, reconnect: { ...mqtt.reconnect, attempt_count: 0 } } }
    writeFileSync(join(folder, 'my-sensor/config.json'), JSON.stringify(changed))
    const again = await outcome(start('my-sensor', '--once'))
    const sent = Number(/^sent: (\d+) sent, 0 kept/.exec(again.stdout)?.[1])
    // Its own three, and something that was kept.
    expect(sent).toBeGreaterThan(3)
  })

  test('a name or a folder that will not do changes nothing', async () => {
    mkdirSync(join(folder, 'full'))
    writeFileSync(join(folder, 'full/notes'), 'mine')
    writeFileSync(join(folder, 'taken'), '')
    const before = readdirSync(folder, { recursive: true }).toSorted()
    const wrong: [string[], RegExp][] = [
      [['full'], /^pipit device: the folder full is not empty; nothing was written\. Take another name\n$/],
      [['taken'], /^pipit device: the folder taken cannot be made: there is a file of that name\n$/],
      [['My Sensor'], /^pipit device: the name is "My Sensor"; it takes small letters, digits, - and _/],
      [['../out'], /the name is "\.\.\/out"; it takes/],
      [['node_modules'], /the name is "node_modules"; it takes/],
      [['x'.repeat(65)], /has 64 at most/],
      [[], /^pipit device: missing required argument 'name'/],
      [['a', 'b'], /too many arguments/],
      [['a', '--broker', 'here'], /--broker is "here"; it takes mqtt:\/\//],
    ]
    for (const [args, line] of wrong) {
      const done = await make(...args)
      expect(done.stderr).toMatch(line)
      expect(done.stderr.trimEnd().split('\n')).toHaveLength(1)
      expect(done).toMatchObject({ code: 1, stdout: '' })
    }
    expect(readdirSync(folder, { recursive: true }).toSorted()).toEqual(before)
  })

  test('takes an empty folder, and writes what npm takes', async () => {
    mkdirSync(join(folder, 'empty'))
    expect(await make('empty')).toMatchObject({ code: 0 })
    const name = execFileSync('npm', ['pkg', 'get', 'name', 'dependencies'], {
      cwd: join(folder, 'empty'),
      encoding: 'utf8',
    })
    expect(JSON.parse(name)).toEqual({ name: 'empty', dependencies: { '@pipit/device': ownVersion() } })
    expect(readdirSync(join(folder, 'empty')).toSorted()).toEqual([
      '.gitignore',
      'README.md',
      'config.json',
      'device.js',
      'node_modules',
      'package.json',
    ])
  })
})

function ownVersion(): string {
  const text = readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
