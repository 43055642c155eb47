import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { connect, type Message, type MqttClient } from '@pipit/client'
import { afterEach, describe, expect, test } from 'vitest'
import { Link, type LinkOptions } from '../src/index.ts'
import { freePort, Mosquitto, noMosquitto } from './mosquitto.ts'

const brokers: Mosquitto[] = []
const clients: MqttClient[] = []
const links: Link[] = []
afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.close()))
  await Promise.all(clients.splice(0).map((client) => client.close({ force: true })))
  await Promise.all(brokers.splice(0).map((broker) => broker.end()))
})

async function broker(...lines: string[]): Promise<Mosquitto> {
  const started = await Mosquitto.start(...lines)
  brokers.push(started)
  return started
}

async function client(at: Mosquitto): Promise<MqttClient> {
  const connected = await connect(at.url, { version: '5.0' })
  clients.push(connected)
  return connected
}

/** What a link says, to be waited for. */
class Log {
  readonly lines: string[] = []
  private readonly waiting = new Set<() => void>()

  readonly take = (_: string, line: string): void => {
    this.lines.push(line)
    for (const look of this.waiting) look()
  }

  says(pattern: RegExp, times = 1): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.lines.filter((line) => pattern.test(line)).length < times) return
        this.waiting.delete(look)
        resolve()
      }
      this.waiting.add(look)
      look()
    })
  }
}

function link(here: Mosquitto, there: Mosquitto, options: Partial<LinkOptions>): { link: Link; log: Log } {
  const log = new Log()
  const made = new Link(
    {
      name: 'x',
      addresses: [there.address],
      topics: [{ pattern: '#', direction: 'both', qos: 1 }],
      ...options,
    },
    { local: here.url, log: log.take },
  )
  links.push(made)
  return { link: made, log }
}

/** Publishes until the other side has it: a subscription on the way may not be there yet. */
async function arrives(from: MqttClient, topic: string, to: MqttClient, as: string): Promise<Message> {
  const messages = await to.subscribe(as, { qos: 2, retainAsPublished: true })
  const timer = setInterval(() => void from.publish(topic, 'probe', { qos: 1 }), 50)
  try {
    for await (const message of messages) return message
  } finally {
    clearInterval(timer)
  }
  throw new Error('the subscription ended')
}

describe.skipIf(noMosquitto !== undefined)(`Link (${noMosquitto ?? 'between two of Mosquitto'})`, () => {
  test.each([
    ['5.0', 0],
    ['5.0', 1],
    ['5.0', 2],
    ['3.1.1', 1],
    ['3.1', 2],
  ] as const)('version %s, QoS %i: carries both ways under other names', async (version, qos) => {
    const [here, there] = [await broker(), await broker()]
    const topics = [
      { pattern: 'a/#', direction: 'both' as const, qos, localPrefix: 'l/', remotePrefix: 'r/' },
    ]
    link(here, there, { version, topics })
    const [one, other] = [await client(here), await client(there)]
    expect(await arrives(one, 'l/a/b', other, 'r/#')).toMatchObject({ topic: 'r/a/b', qos: Math.min(qos, 1) })
    expect(await arrives(other, 'r/a/c', one, 'l/a/c')).toMatchObject({
      topic: 'l/a/c',
      qos: Math.min(qos, 1),
    })
  })

  test.each(['5.0', '3.1.1'] as const)('%s: what it carries does not come back', async (version) => {
    const [here, there] = [await broker(), await broker()]
    const { link: made } = link(here, there, { version, notifications: false })
    const [one, other] = [await client(here), await client(there)]
    await arrives(one, 'a', other, 'a')
    await arrives(other, 'b', one, 'b')
    const seen: string[] = []
    one.onMessage((message) => seen.push(message.text()))
    await one.subscribe('loop', { qos: 1 })
    await one.publish('loop', 'once', { qos: 1 })
    await arrives(one, 'later', other, 'later')
    expect(seen.filter((text) => text === 'once')).toHaveLength(1)
    expect(made.metrics()).toMatchObject({ connected: true, dropped: 0 })
  })

  test('a circle of three brokers ends where it began', async () => {
    const [a, b, c] = [await broker(), await broker(), await broker()]
    link(a, b, { name: 'ab', notifications: false })
    link(b, c, { name: 'bc', notifications: false })
    link(c, a, { name: 'ca', notifications: false })
    const ends = [await client(a), await client(b), await client(c)]
    const [one, , other] = ends
    if (one === undefined || other === undefined) throw new Error('three clients')
    await arrives(one, 'p', other, 'p')
    await arrives(other, 'p2', one, 'p2')
    const copies = [0, 0, 0]
    for (const [i, end] of ends.entries()) {
      end.onMessage(() => copies[i]!++)
      await end.subscribe('once', { qos: 1 })
    }
    await one.publish('once', '', { qos: 1 })
    await quiet(links)
    // Each way around the circle brings each broker one copy at most.
    expect(copies.every((count) => count >= 1 && count <= 3)).toBe(true)
  })

  test('notifications: 1 while it is up, 0 when it is not, at both ends', async () => {
    const [here, there] = [await broker(), await broker()]
    const topic = '$SYS/broker/connection/x/state'
    const { link: made } = link(here, there, {})
    const [one, other] = [await client(here), await client(there)]
    await until(one, topic, '1')
    await until(other, topic, '1')
    await made.close()
    await until(other, topic, '0')
  })

  test('retained messages of here are there, with their flag; outgoingRetain takes it', async () => {
    const [here, there] = [await broker(), await broker()]
    const one = await client(here)
    await one.publish('kept', 'v', { qos: 1, retain: true })
    link(here, there, {})
    const messages = await (await client(there)).subscribe('kept', { qos: 1, retainAsPublished: true })
    for await (const message of messages) {
      expect(message).toMatchObject({ retain: true })
      break
    }
    const plain = await broker()
    link(here, plain, { name: 'plain', outgoingRetain: false })
    const others = await (await client(plain)).subscribe('kept', { qos: 1, retainAsPublished: true })
    for await (const message of others) {
      expect(message).toMatchObject({ retain: false })
      break
    }
  })

  test('what is published while the other side is away is there when it is back', async () => {
    const [here, there] = [await broker(), await broker()]
    const { log } = link(here, there, {
      restartSeconds: 1,
      topics: [{ pattern: 'q', direction: 'out', qos: 1 }],
    })
    const [one, other] = [await client(here), await client(there)]
    await arrives(one, 'q', other, 'q')
    await there.stop()
    await log.says(/is lost/)
    for (let i = 0; i < 50; i++) await one.publish('q', String(i), { qos: 1 })
    await there.run()
    const missing = new Set(Array.from({ length: 50 }, (_, i) => String(i)))
    const messages = await (await client(there)).subscribe('q', { qos: 1 })
    for await (const message of messages) {
      missing.delete(message.text())
      if (missing.size === 0) break
    }
    expect(missing.size).toBe(0)
  })

  test('of several addresses the first that answers; back to the first when it is there again', async () => {
    const [here, first, second] = [await broker(), await broker(), await broker()]
    const addresses = [first.address, second.address]
    const { log } = link(here, first, { addresses, restartSeconds: 1 })
    await log.says(new RegExp(`connected to ${first.address}`))
    await first.stop()
    await log.says(new RegExp(`connected to ${second.address}`))
    await first.run()
    await log.says(new RegExp(`connected to ${first.address}`), 2)
  })

  test('lazy: connected from the threshold on, until nothing has come for a while', async () => {
    const [here, there] = [await broker(), await broker()]
    const { link: made, log } = link(here, there, {
      start: 'lazy',
      threshold: 3,
      idleTimeout: 1,
      topics: [{ pattern: 'q', direction: 'out', qos: 1 }],
    })
    const [one, other] = [await client(here), await client(there)]
    const messages = await other.subscribe('q', { qos: 1 })
    while (made.metrics().pending < 2) await one.publish('q', 'probe', { qos: 1 })
    await one.publish('q', 'last', { qos: 1 })
    for await (const message of messages) if (message.text() === 'last') break
    await log.says(/idle/)
    expect(made.metrics().connected).toBe(false)
  })

  test('once: not again after the connection is lost', async () => {
    const [here, there] = [await broker(), await broker()]
    const { link: made, log } = link(here, there, { start: 'once' })
    await log.says(/connected to/)
    await there.stop()
    await log.says(/is lost/)
    await there.run()
    expect(made.metrics().connected).toBe(false)
  })

  test('TLS and credentials; a name that is not in the certificate only with anyName', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pipit-links-tls-'))
    try {
      const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
      const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
      const name = ['-subj', '/CN=broker', '-addext', 'subjectAltName=DNS:broker.example']
      execFileSync('openssl', ['req', '-x509', ...curve, ...name, '-keyout', key, '-out', cert], {
        stdio: 'ignore',
      })
      const passwords = join(folder, 'passwords')
      writeFileSync(passwords, 'ann:secret\n')
      execFileSync('mosquitto_passwd', ['-U', passwords])
      const port = await freePort()
      const [here, there] = [
        await broker(),
        await broker(
          `password_file ${passwords}`,
          `listener ${port} 127.0.0.1`,
          `certfile ${cert}`,
          `keyfile ${key}`,
        ),
      ]
      const addresses = [`127.0.0.1:${port}`]
      const who = { remoteUsername: 'ann', remotePassword: 'secret', restartSeconds: 1 }
      const strict = link(here, there, { name: 'strict', addresses, tls: { ca: cert }, ...who })
      await strict.log.says(/does not match certificate's altnames/)
      const { log } = link(here, there, { addresses, tls: { ca: cert, anyName: true }, ...who })
      await log.says(/connected to/)
      const wrong = { ...who, remotePassword: 'wrong' }
      const refused = link(here, there, {
        name: 'wrong',
        addresses,
        tls: { ca: cert, anyName: true },
        ...wrong,
      })
      await refused.log.says(/(refused|closed) the connection/)
      expect([strict.link, refused.link].map((each) => each.metrics().connected)).toEqual([false, false])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test.each([undefined, 'TLSv1.3'] as const)(
    'a pre-shared key, version %s: the right one',
    async (version) => {
      const port = await freePort()
      const keys = join(mkdtempSync(join(tmpdir(), 'pipit-links-psk-')), 'keys')
      try {
        writeFileSync(keys, 'here:00112233445566778899aabbccddeeff\n')
        const lines = [`psk_file ${keys}`, `listener ${port} 127.0.0.1`, 'psk_hint x']
        const [here, there] = [await broker(), await broker(...lines, 'use_identity_as_username true')]
        const to = (name: string, pskIdentity: string, psk: string) =>
          link(here, there, {
            name,
            addresses: [`127.0.0.1:${port}`],
            tls: { pskIdentity, psk, ...(version !== undefined && { version }) },
            restartSeconds: 1,
          })
        const refused = [to('a', 'here', '00'), to('b', 'eve', '00112233445566778899aabbccddeeff')]
        for (const { log } of refused) await log.says(/the next attempt comes/)
        await to('c', 'here', '00112233445566778899aabbccddeeff').log.says(/connected to/)
        expect(refused.map(({ link: each }) => each.metrics().connected)).toEqual([false, false])
      } finally {
        rmSync(dirname(keys), { recursive: true, force: true })
      }
    },
  )

  test('a message that is too large is dropped with a word, and the next one goes', async () => {
    const [here, there] = [await broker(), await broker()]
    const { log } = link(here, there, { maximumPacketSize: 100 })
    const [one, other] = [await client(here), await client(there)]
    await arrives(one, 'a', other, 'a')
    await one.publish('b', 'x'.repeat(200), { qos: 1 })
    await log.says(/a message of 200 bytes to "b" is too large/)
    await arrives(one, 'c', other, 'c')
  })
})

describe('options', () => {
  const wrong: readonly (readonly [Partial<LinkOptions>, string])[] = [
    [{ addresses: [] }, 'link x: addresses is empty; it takes host:port'],
    [{ addresses: ['a b'] }, 'link x: address a b: it takes host:port'],
    [{ topics: [] }, 'link x: topics is empty'],
    [
      { topics: [{ localPrefix: 'a' }] },
      'link x: a topic without a pattern takes both prefixes: the two topics',
    ],
    [
      { restartSeconds: 9, restartMaximumSeconds: 3 },
      'link x: restartMaximumSeconds is 3, less than restartSeconds, 9',
    ],
    [{ tls: { psk: '00' } }, 'link x: tls.pskIdentity is missing; a pre-shared key needs both'],
    [{ tls: { pskIdentity: 'i' } }, 'link x: tls.psk is missing; a pre-shared key needs both'],
    [
      { tls: { pskIdentity: 'i', psk: '0g' } },
      'link x: tls.psk is no text of hexadecimal digits, two for each byte',
    ],
    [
      { tls: { pskIdentity: 'i', psk: '00', ca: 'c' } },
      'link x: tls has a pre-shared key and certificates; it takes one of them',
    ],
    [{ remoteClientId: 'i', localClientId: 'i' }, 'link x: localClientId and remoteClientId are the same'],
  ]
  test.each(wrong)('%j', (options, fault) => {
    const whole = { name: 'x', addresses: ['h'], topics: [{ pattern: 'a' }], ...options }
    expect(() => new Link(whole, { local: 'mqtt://127.0.0.1:1' })).toThrow(fault)
  })
})

/** Settles when a topic says so. */
async function until(at: MqttClient, topic: string, text: string): Promise<void> {
  for await (const message of await at.subscribe(topic)) if (message.text() === text) return
  throw new Error('the subscription ended')
}

/** What links have carried once that no longer grows. */
async function quiet(all: readonly Link[]): Promise<void> {
  let before: number[] = []
  for (;;) {
    const now = all.map((each) => each.metrics().out + each.metrics().in)
    if (now.every((count, i) => count === before[i])) return
    before = now
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}
