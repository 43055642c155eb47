import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noMosquitto, Processes } from './processes.ts'

const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-pub-sub-'))

afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

const brokers = [
  { name: 'our broker', start: () => processes.broker(), skipped: undefined },
  { name: "Debian's mosquitto", start: () => processes.mosquitto(), skipped: noMosquitto },
]

describe.each(brokers)('pipit pub and pipit sub against $name', ({ start, skipped }) => {
  let port = ''

  beforeAll(async () => {
    if (skipped === undefined) port = String((await start()).port)
  })

  const onBroker = test.skipIf(skipped !== undefined)
  const pub = (args: readonly string[], input?: string) => processes.done(['pub', '-p', port, ...args], input)
  const well = { code: 0, stderr: '' }

  /** `pipit sub` once its subscriptions stand. */
  async function subscribed(...args: string[]) {
    const running = processes.pipit(['sub', '-p', port, '-d', ...args])
    await running.says(/subscribed to/, 'stderr')
    return running
  }

  const versions = ['mqttv31', 'mqttv311', 'mqttv5'] as const
  onBroker.for(versions.flatMap((version) => ([0, 1, 2] as const).map((qos) => [version, qos] as const)))(
    '%s, QoS %i: the lines of stdin come once and in order',
    async ([version, qos]) => {
      const lines = Array.from({ length: 200 }, (_, i) => `line ${i} é`)
      const args = ['-V', version, '-q', String(qos), '-t', `lines/${version}/${qos}`]
      const sub = await subscribed(...args, '-C', '200')
      expect(await pub([...args, '-l'], lines.join('\n'))).toMatchObject(well)
      expect(await sub.ended).toBe(0)
      expect(sub.stdout).toBe(`${lines.join('\n')}\n`)
    },
  )

  onBroker('-m, -n, -f and -s send what they say; -v and -N print it', async () => {
    const sub = await subscribed('-t', 'kinds/+', '-v', '-C', '4', '-q', '1')
    const file = join(folder, 'payload')
    writeFileSync(file, 'from\na file')
    expect(await pub(['-q', '1', '-t', 'kinds/m', '-m', 'text'])).toMatchObject(well)
    expect(await pub(['-q', '1', '-t', 'kinds/n', '-n'])).toMatchObject(well)
    expect(await pub(['-q', '1', '-t', 'kinds/f', '-f', file])).toMatchObject(well)
    expect(await pub(['-q', '1', '-t', 'kinds/s', '-s'], 'all\nof it')).toMatchObject(well)
    expect(await sub.ended).toBe(0)
    expect(sub.stdout).toBe('kinds/m text\nkinds/n (null)\nkinds/f from\na file\nkinds/s all\nof it\n')
    const bare = await subscribed('-t', 'kinds/N', '-N', '-C', '2')
    expect(await pub(['-t', 'kinds/N', '-m', 'ab', '--repeat', '2'])).toMatchObject(well)
    expect(await bare.ended).toBe(0)
    expect(bare.stdout).toBe('abab')
  })

  onBroker('-r keeps a message; -R, --retained-only, -T and --remove-retained treat it', async () => {
    for (const name of ['a', 'b', 'c'])
      expect(await pub(['-r', '-t', `kept/${name}`, '-m', name])).toMatchObject(well)
    const all = await processes.done(['sub', '-p', port, '-t', 'kept/#', '-C', '3', '-F', '%r %t'])
    expect(all).toMatchObject({ code: 0, stdout: '1 kept/a\n1 kept/b\n1 kept/c\n' })
    const some = await processes.done(['sub', '-p', port, '-t', 'kept/#', '-T', 'kept/b', '-C', '2'])
    expect(some.stdout).toBe('a\nc\n')
    const fresh = await subscribed('-t', 'kept/#', '-R', '-C', '1')
    expect(await pub(['-t', 'kept/a', '-m', 'fresh'])).toMatchObject(well)
    expect(await fresh.ended).toBe(0)
    expect(fresh.stdout).toBe('fresh\n')
    const only = processes.pipit([
      'sub',
      '-p',
      port,
      '-t',
      'kept/#',
      '--retained-only',
      '--remove-retained',
      '-T',
      'kept/c',
    ])
    await only.says(/a\nb\n/)
    expect(await pub(['-t', 'kept/x', '-m', 'ends it'])).toMatchObject(well)
    expect(await only.ended).toBe(0)
    const left = await processes.done(['sub', '-p', port, '-t', 'kept/#', '-C', '1', '-v'])
    expect(left.stdout).toBe('kept/c c\n')
  })

  onBroker('-W ends with 27; SIGTERM and SIGINT with 0', async () => {
    expect(await processes.done(['sub', '-p', port, '-t', 'silence', '-W', '1'])).toEqual({
      code: 27,
      stdout: '',
      stderr: '',
    })
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      expect(await (await subscribed('-t', 'silence')).kill(signal)).toBe(0)
  })

  onBroker('the will comes when the client is killed, not when it leaves', async () => {
    const watcher = await subscribed('-t', 'wills/#', '-v', '-q', '1', '-C', '2')
    const will = ['--will-payload', 'gone', '--will-qos', '1', '--will-topic']
    const leaver = await subscribed('-t', 'silence', ...will, 'wills/leaver')
    expect(await leaver.kill('SIGTERM')).toBe(0)
    const victim = await subscribed('-t', 'silence', ...will, 'wills/victim', '--will-retain')
    await victim.kill('SIGKILL')
    await watcher.says(/wills\/victim gone\n/)
    expect(await pub(['-t', 'wills/end', '-m', 'end'])).toMatchObject(well)
    expect(await watcher.ended).toBe(0)
    expect(watcher.stdout).toBe('wills/victim gone\nwills/end end\n')
    const late = await processes.done(['sub', '-p', port, '-t', 'wills/#', '-C', '1', '-F', '%r %t %p'])
    expect(late.stdout).toBe('1 wills/victim gone\n')
  })

  onBroker('-c keeps the session: what came meanwhile is printed', async () => {
    for (const version of ['mqttv311', 'mqttv5']) {
      const args = [
        'sub',
        '-p',
        port,
        '-V',
        version,
        '-c',
        '-i',
        `keeper-${version}`,
        '-q',
        '1',
        '-t',
        'away',
      ]
      expect(await processes.done([...args, '-E'])).toMatchObject(well)
      expect(await pub(['-q', '1', '-t', 'away', '-m', 'while away'])).toMatchObject(well)
      expect(await processes.done([...args, '-C', '1'])).toMatchObject({ code: 0, stdout: 'while away\n' })
    }
  })

  onBroker('-D sends properties and -F and %j print them', async () => {
    const sub = await subscribed('-V', '5', '-t', 'props', '-C', '1', '-F', '%C|%D|%E|%F|%P|%R|%J')
    const properties = [
      ['content-type', 'text/plain'],
      ['correlation-data', 'abc'],
      ['message-expiry-interval', '100'],
      ['payload-format-indicator', '1'],
      ['user-property', 'k1', '-v1'],
      ['user-property', 'k2', 'v2'],
      ['response-topic', 're/ply'],
    ].flatMap((words) => ['-D', 'publish', ...words])
    expect(await pub(['-t', 'props', '-m', '{"x":1}', ...properties])).toMatchObject(well)
    expect(await sub.ended).toBe(0)
    expect(sub.stdout).toMatch(
      /^text\/plain\|abc\|100\|1\|k1:-v1 k2:v2\|re\/ply\|\{.*"payload":\{"x":1\}\}\n$/,
    )
    expect(JSON.parse(sub.stdout.slice(sub.stdout.indexOf('{')))).toMatchObject({
      topic: 'props',
      properties: { 'content-type': 'text/plain', 'user-properties': { k1: '-v1', k2: 'v2' } },
    })
  })

  onBroker('-L takes everything from a URL, and PIPIT_… stands in for an option', async () => {
    const sub = await subscribed('-L', `mqtt://127.0.0.1:${port}/from/url`, '-C', '2')
    expect(await pub(['-L', `mqtt://localhost:${port}/from/url`, '-m', 'one'])).toMatchObject(well)
    const env = { PIPIT_BROKER_PORT: port, PIPIT_TOPIC: 'from/url' }
    expect(await processes.done(['pub', '-m', 'two'], '', env)).toMatchObject(well)
    expect(await sub.ended).toBe(0)
    expect(sub.stdout).toBe('one\ntwo\n')
  })

  onBroker('pub -l takes a large input, and sub ends quietly when its reader has enough', async () => {
    const sub = await subscribed('-t', 'large', '-q', '1', '-C', '20000')
    const input = Array.from({ length: 20_000 }, (_, i) => `${i}\n`).join('')
    expect(await pub(['-t', 'large', '-q', '1', '-l'], input)).toMatchObject(well)
    expect(await sub.ended).toBe(0)
    expect(sub.stdout).toBe(input)
    const impatient = await subscribed('-t', 'large')
    impatient.child.stdout?.destroy()
    const more = pub(['-t', 'large', '-l'], input)
    expect(await impatient.ended).toBe(0)
    expect(impatient.stderr).not.toMatch(/Error|EPIPE/)
    expect(await more).toMatchObject(well)
  })
})

test('pipit sub connects again when the broker comes back', async () => {
  const first = await processes.broker()
  const sub = processes.pipit(['sub', '-p', String(first.port), '-d', '-t', 'again', '-C', '1'])
  await sub.says(/subscribed to/, 'stderr')
  expect(await first.running.kill('SIGTERM')).toBe(0)
  await sub.says(/connecting again/, 'stderr')
  const second = processes.pipit(['broker', '--port', String(first.port)])
  await second.says(/ready/)
  // Retained, so that it is there whenever the subscription is.
  expect(
    await processes.done(['pub', '-p', String(first.port), '-r', '-t', 'again', '-m', 'back']),
  ).toMatchObject({ code: 0 })
  expect(await sub.ended).toBe(0)
  expect(sub.stdout).toBe('back\n')
})
