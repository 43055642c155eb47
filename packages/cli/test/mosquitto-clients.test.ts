import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noMosquittoClients, outcome, Processes } from './processes.ts'

const processes = new Processes()
let port = ''

beforeAll(async () => {
  port = String((await processes.broker()).port)
})

afterAll(() => processes.end())

const VERSIONS = ['mqttv311', 'mqttv5'] as const
const QOS = [0, 1, 2] as const
const cases = VERSIONS.flatMap((version) => QOS.map((qos) => [version, qos] as const))

function subscriber(version: string, ...args: string[]) {
  // Line by line: into a pipe the C library would keep "Subscribed" to itself.
  return processes.run('stdbuf', [
    '-oL',
    'mosquitto_sub',
    '-h',
    '127.0.0.1',
    '-p',
    port,
    '-V',
    version,
    '-d',
    ...args,
  ])
}

/** A subscriber whose subscription the broker has acknowledged. */
async function subscribed(version: string, ...args: string[]) {
  const running = subscriber(version, ...args)
  await running.says(/Subscribed \(mid/)
  return running
}

async function published(version: string, ...args: string[]) {
  const running = processes.run('mosquitto_pub', ['-h', '127.0.0.1', '-p', port, '-V', version, ...args])
  expect(await outcome(running)).toEqual({ code: 0, stdout: '', stderr: '' })
}

const messagesOf = (stdout: string) =>
  stdout.split('\n').filter((line) => line !== '' && !/^(Client|Subscribed|Received)/.test(line))

describe.skipIf(noMosquittoClients !== undefined)(
  `mosquitto_pub and mosquitto_sub (${noMosquittoClients ?? 'installed'})`,
  () => {
    test.each(cases)('%s, QoS %i: messages come once, in order, with their QoS', async (version, qos) => {
      const topic = `order/${version}/${qos}`
      const sub = await subscribed(version, '-q', String(qos), '-t', topic, '-C', '20', '-F', '%q %t %p')
      const lines = Array.from({ length: 20 }, (_, i) => `message ${i}`)
      const pub = processes.run('mosquitto_pub', [
        '-p',
        port,
        '-V',
        version,
        '-q',
        String(qos),
        '-t',
        topic,
        '-l',
      ])
      pub.feed(`${lines.join('\n')}\n`)
      expect(await pub.ended).toBe(0)
      expect(await sub.ended).toBe(0)
      expect(messagesOf(sub.stdout)).toEqual(lines.map((line) => `${qos} ${topic} ${line}`))
    })

    test.each(VERSIONS)('%s: a message comes with the lower of both QoS', async (version) => {
      const sub = await subscribed(version, '-q', '1', '-t', `lower/${version}`, '-C', '3', '-F', '%q')
      for (const qos of ['2', '1', '0'])
        await published(version, '-q', qos, '-t', `lower/${version}`, '-m', 'x')
      expect(await sub.ended).toBe(0)
      expect(messagesOf(sub.stdout)).toEqual(['1', '1', '0'])
    })

    test.each(cases)('%s, QoS %i: retained, replaced and cleared', async (version, qos) => {
      const topic = `retained/${version}/${qos}`
      const args = ['-q', String(qos), '-t', topic, '-r']
      await published(version, ...args, '-m', 'first')
      await published(version, ...args, '-m', 'second')
      const late = subscriber(version, '-q', '2', '-t', `retained/${version}/#`, '-C', '1', '-F', '%r %t %p')
      expect(await late.ended).toBe(0)
      expect(messagesOf(late.stdout)).toEqual([`1 ${topic} second`])
      const live = await subscribed(version, '-t', topic, '-R', '-C', '1', '-F', '%r %p')
      await published(version, ...args, '-m', 'third')
      expect(await live.ended).toBe(0)
      expect(messagesOf(live.stdout)).toEqual(['0 third'])
      await published(version, ...args, '-n')
      const cleared = await subscribed(version, '-t', topic, '-C', '1', '-F', '%r %p')
      await published(version, '-t', topic, '-m', 'fresh')
      expect(await cleared.ended).toBe(0)
      expect(messagesOf(cleared.stdout)).toEqual(['0 fresh'])
    })

    test.each(VERSIONS)('%s: the will of a client that is killed, retained', async (version) => {
      const topic = `will/${version}`
      const watcher = await subscribed(version, '-q', '1', '-t', topic, '-C', '1', '-F', '%q %p')
      const will = ['--will-topic', topic, '--will-payload', 'gone', '--will-qos', '1', '--will-retain']
      const victim = await subscribed(version, '-t', 'nothing', ...will)
      await victim.kill('SIGKILL')
      expect(await watcher.ended).toBe(0)
      expect(messagesOf(watcher.stdout)).toEqual(['1 gone'])
      const late = subscriber(version, '-t', topic, '-C', '1', '-F', '%r %p')
      expect(await late.ended).toBe(0)
      expect(messagesOf(late.stdout)).toEqual(['1 gone'])
    })

    test.each(VERSIONS)('%s: a client that says goodbye leaves no will', async (version) => {
      const topic = `goodbye/${version}`
      const watcher = await subscribed(version, '-t', topic, '-C', '1', '-F', '%p')
      // Not by a signal: at one, mosquitto_sub itself asks for its will in MQTT 5.0.
      const leaver = subscriber(
        version,
        '-t',
        'nothing',
        '-E',
        '--will-topic',
        topic,
        '--will-payload',
        'gone',
      )
      expect(await leaver.ended).toBe(0)
      await published(version, '-t', topic, '-m', 'after')
      expect(await watcher.ended).toBe(0)
      expect(messagesOf(watcher.stdout)).toEqual(['after'])
    })

    const wildcards: [string, string[], string[]][] = [
      [
        'w/+/temperature',
        ['w/a/temperature', 'w/b/temperature'],
        ['w/a/humidity', 'w/a/b/temperature', 'w/temperature'],
      ],
      ['w/#', ['w', 'w/a', 'w/a/b/c'], ['v/a', 'wx']],
      ['+/+', ['w/a', '/x', 'w/'], ['w', 'w/a/b']],
      ['#', ['w', 'w/a/b'], ['$wild/a']],
      ['$wild/#', ['$wild/a'], ['w/a']],
    ]

    test.each(VERSIONS.flatMap((v) => wildcards.map((w) => [v, ...w] as const)))(
      '%s: %s matches what it should and nothing else',
      async (version, filter, inside, outside) => {
        const sub = await subscribed(
          version,
          '-t',
          filter,
          '-C',
          String(inside.length + 1),
          '-F',
          '%t %p',
          '-R',
        )
        for (const topic of [...outside, ...inside]) await published(version, '-t', topic, '-m', 'in or out')
        const last = inside[0] ?? ''
        await published(version, '-t', last, '-m', 'last')
        expect(await sub.ended).toBe(0)
        expect(messagesOf(sub.stdout)).toEqual([
          ...inside.map((topic) => `${topic} in or out`),
          `${last} last`,
        ])
      },
    )

    test.each(VERSIONS)(
      '%s: a session that is kept gets what came while its client was away',
      async (version) => {
        const topic = `kept/${version}`
        const keep = ['-c', '-i', `keeper-${version}`, '-q', '1', '-t', topic]
        expect(await subscriber(version, ...keep, '-E').ended).toBe(0)
        await published(version, '-q', '1', '-t', topic, '-m', 'while away')
        const back = subscriber(version, ...keep, '-C', '1', '-F', '%p')
        expect(await back.ended).toBe(0)
        expect(messagesOf(back.stdout)).toEqual(['while away'])
      },
    )

    test('mqttv31 works too', async () => {
      const sub = await subscribed('mqttv31', '-q', '2', '-t', 'old', '-C', '1', '-F', '%p')
      await published('mqttv31', '-q', '2', '-t', 'old', '-m', 'as in 2010')
      expect(await sub.ended).toBe(0)
      expect(messagesOf(sub.stdout)).toEqual(['as in 2010'])
    })

    test('mqttv5: properties go through', async () => {
      const format = '%C|%D|%E|%F|%P|%R'
      const sub = await subscribed('mqttv5', '-t', 'properties', '-C', '1', '-F', format)
      const properties = [
        ['content-type', 'text/plain'],
        ['correlation-data', 'abc'],
        ['message-expiry-interval', '100'],
        ['payload-format-indicator', '1'],
        ['user-property', 'k1', 'v1'],
        ['user-property', 'k2', 'v2'],
        ['response-topic', 're/ply'],
      ].flatMap((words) => ['-D', 'publish', ...words])
      await published('mqttv5', '-t', 'properties', '-m', 'x', ...properties)
      expect(await sub.ended).toBe(0)
      expect(messagesOf(sub.stdout)).toEqual(['text/plain|abc|100|1|k1:v1 k2:v2|re/ply'])
    })

    test('localhost works on both loopback addresses', async () => {
      for (const host of ['127.0.0.1', '::1', 'localhost']) {
        const pub = processes.run('mosquitto_pub', ['-h', host, '-p', port, '-t', 'any', '-m', host])
        expect(await outcome(pub), host).toEqual({ code: 0, stdout: '', stderr: '' })
      }
    })
  },
)
