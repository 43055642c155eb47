import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type MqttClient } from '@pipit/client'
import { afterEach, describe, expect, test } from 'vitest'
import { canMount, SmallDisk } from '../../../tools/torture/small-disk.ts'
import { Link, type LinkOptions } from '../src/index.ts'
import { Mosquitto, noMosquitto } from './mosquitto.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function broker(): Promise<Mosquitto> {
  const started = await Mosquitto.start()
  ends.push(() => started.end())
  return started
}

async function client(at: Mosquitto): Promise<MqttClient> {
  const connected = await connect(at.url, { version: '5.0' })
  ends.push(() => connected.close({ force: true }))
  return connected
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'pipit-links-once-'))
  ends.push(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** A link that keeps what is in flight in a folder, and a promise for what it says. */
function link(options: Partial<LinkOptions>, local: string, at: string) {
  const lines: string[] = []
  const looks = new Set<() => void>()
  const log = (_: string, line: string): void => {
    lines.push(line)
    for (const look of looks) look()
  }
  const wanted = { name: 'x', addresses: [], topics: [{ pattern: 'a/#', qos: 2 as const }], ...options }
  const made = new Link(wanted, { local, folder: at, log })
  ends.push(() => made.close())
  const says = (pattern: RegExp): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => void (lines.some((line) => pattern.test(line)) && resolve())
      looks.add(look)
      look()
    })
  return { says }
}

/** Publishes at one end until the other has something: the link's subscriptions are there. */
async function isThere(from: MqttClient, to: MqttClient, topic: string): Promise<void> {
  const messages = await to.subscribe(topic, { qos: 1 })
  const timer = setInterval(() => void from.publish(topic, 'probe', { qos: 1 }), 50)
  try {
    for await (const _ of messages) return
  } finally {
    clearInterval(timer)
  }
}

function count(at: MqttClient, filter: string, counts: Map<string, number>): Promise<unknown> {
  at.onMessage((message) => {
    const key = `${message.topic} ${message.text()}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  })
  return at.subscribe(filter, { qos: 2 })
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1))
}

describe.skipIf(noMosquitto !== undefined)(
  `A link at QoS 2 (${noMosquitto ?? 'between two of Mosquitto'})`,
  () => {
    test('killed again and again carries each message once, both ways', { timeout: 240_000 }, async () => {
      const [here, there, at] = [await broker(), await broker(), folder()]
      const begin = async (): Promise<ChildProcess> => {
        const program = join(import.meta.dirname, 'link-process.ts')
        const process = fork(program, [here.url, there.address, at], {
          execArgv: ['--conditions=@pipit/source'],
        })
        await once(process, 'message')
        return process
      }
      const kill = async (process: ChildProcess): Promise<void> => {
        const gone = once(process, 'exit')
        process.kill('SIGKILL')
        await gone
      }
      let child = await begin()
      ends.push(() => kill(child))
      const [one, other] = [await client(here), await client(there)]
      await isThere(other, one, 'x/probe')
      const counts = new Map<string, number>()
      await count(other, 'x/out', counts)
      await count(one, 'x/in', counts)
      const MESSAGES = 400
      const sent: Promise<unknown>[] = []
      for (let i = 0; i < MESSAGES; i++) {
        sent.push(one.publish('x/out', String(i), { qos: 2 }), other.publish('x/in', String(i), { qos: 2 }))
        if (i % 80 !== 79) continue
        // In the middle of what is under way.
        await until(() => counts.size >= i)
        await kill(child)
        child = await begin()
      }
      await Promise.all(sent)
      await until(() => counts.size >= MESSAGES * 2)
      // What comes twice may come late, but not behind these.
      await Promise.all([one.publish('x/out', 'last', { qos: 2 }), other.publish('x/in', 'last', { qos: 2 })])
      await until(() => counts.size >= MESSAGES * 2 + 2)
      expect([...counts].filter(([, times]) => times !== 1)).toEqual([])
    })

    test('whose folder cannot be used begins anew when it can', async () => {
      const [here, there, at] = [await broker(), await broker(), folder()]
      // Where its file is to be, there is a folder.
      mkdirSync(join(at, 'x'))
      const { says } = link({ addresses: [there.address] }, here.url, at)
      const [one, other] = [await client(here), await client(there)]
      await says(/nothing is carried, messages stay with their sender: .*; it begins anew in 1 s/)
      rmSync(join(at, 'x'), { recursive: true })
      await isThere(one, other, 'a/b')
    })

    test.skipIf(!canMount())(
      'on a disk that was full carries later what it could not keep (needs root)',
      async () => {
        const [here, there] = [await broker(), await broker()]
        const disk = new SmallDisk(join(folder(), 'disk'), 1)
        ends.push(() => disk.unmount())
        const { says } = link({ addresses: [there.address] }, here.url, disk.folder)
        const [one, other] = [await client(here), await client(there)]
        await isThere(one, other, 'a/probe')
        const counts = new Map<string, number>()
        await count(other, 'a/b', counts)
        disk.fill()
        for (const each of ['1', '2', '3']) await one.publish('a/b', each.repeat(20_000), { qos: 2 })
        await says(/nothing is carried, .*ENOSPC/)
        expect(counts.size).toBe(0)
        disk.free()
        await until(() => counts.size === 3)
        expect([...counts.values()]).toEqual([1, 1, 1])
      },
    )
  },
)
