import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type ClientOptions,
  fileStore,
  type MqttClient,
  memoryStore,
  open,
  type Store,
} from '../src/index.ts'
import { memoryBroker, type ScriptedBroker } from './scripted-broker.ts'
import { STORE_CONTRACT } from './store-contract.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipit-store-'))
})
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close({ force: true })
  await rm(folder, { recursive: true })
})

const clients: MqttClient[] = []

function start(broker: ScriptedBroker, options: ClientOptions): MqttClient {
  const client = open(broker.url, {
    transport: broker.transport,
    version: '5.0',
    reconnect: { minimumDelayMs: 0, maximumDelayMs: 0 },
    ...options,
  })
  clients.push(client)
  return client
}

const text = (payload: Uint8Array): string => new TextDecoder().decode(payload)

/** Each kind of store: how to open the same one again. */
const STORES: Record<string, () => () => Store> = {
  fileStore: () => {
    const path = join(folder, 'deep', 'session')
    return () => fileStore(path)
  },
  memoryStore: () => {
    const store = memoryStore()
    return () => store
  },
}

for (const [name, make] of Object.entries(STORES)) {
  describe(`${name} as a store`, () => {
    for (const [behaviour, holds] of Object.entries(STORE_CONTRACT)) it(behaviour, () => holds(make()))

    it('has a client resume packet identifiers, phase, order and DUP', async () => {
      const again = make()
      const broker = memoryBroker()
      const client = start(broker, { clientId: 'c', store: again() })
      const results = (['one', 'two', 'three'] as const).map((payload, i) =>
        client.publish('t', payload, { qos: i === 0 ? 1 : 2 }).catch((error: { code: string }) => error.code),
      )
      const peer = await broker.accept()
      expect((await peer.welcome()).cleanStart).toBe(false)
      for (const packetId of [1, 2, 3]) {
        expect(await peer.expect('PUBLISH')).toMatchObject({ packetId, dup: false })
      }
      peer.send({ type: 'PUBREC', packetId: 2, reasonCode: 0 })
      expect(await peer.expect('PUBREL')).toMatchObject({ packetId: 2 })
      peer.send({ ...message(7), dup: false })
      await peer.expect('PUBREC')
      await client.close({ force: true })
      expect(await Promise.all(results)).toEqual(['SESSION_ENDED', 'SESSION_ENDED', 'SESSION_ENDED'])

      const next = start(broker, { clientId: 'c', store: again() })
      const delivered: string[] = []
      next.onMessage((received) => delivered.push(received.text()))
      const resumed = await broker.accept()
      await resumed.welcome({ sessionPresent: true })
      const first = await resumed.expect('PUBLISH')
      expect([first.packetId, first.dup, text(first.payload)]).toEqual([1, true, 'one'])
      expect(await resumed.expect('PUBREL')).toMatchObject({ packetId: 2 })
      const third = await resumed.expect('PUBLISH')
      expect([third.packetId, third.dup, text(third.payload)]).toEqual([3, true, 'three'])
      resumed.send({ ...message(7), dup: true })
      await resumed.expect('PUBREC')
      resumed.send({ type: 'PUBREL', packetId: 7, reasonCode: 0 })
      expect(await resumed.expect('PUBCOMP')).toMatchObject({ packetId: 7, reasonCode: 0 })
      expect(delivered).toEqual([])
      resumed.send({ type: 'PUBACK', packetId: 1, reasonCode: 0 })
      resumed.send({ type: 'PUBCOMP', packetId: 2, reasonCode: 0 })
      resumed.send({ type: 'PUBREC', packetId: 3, reasonCode: 0 })
      await resumed.expect('PUBREL')
      resumed.send({ type: 'PUBCOMP', packetId: 3, reasonCode: 0 })
      const closing = next.close()
      await resumed.expect('DISCONNECT')
      await closing
      const left = again()
      expect([...(await left.open()).keys()]).toEqual(['c'])
      await left.close()
    })

    it('has a client keep what was queued offline, in order, and its Client Identifier', async () => {
      const again = make()
      const offline = start(memoryBroker(), { store: again(), transport: () => new Promise<never>(() => {}) })
      const ending = Promise.allSettled(
        ['1', '2', '3'].map((payload) => offline.publish('t', payload, { qos: 1 })),
      )
      const { clientId } = offline
      // A forced close commits what it was given before.
      await offline.close({ timeoutMs: 1 })
      await ending

      const broker = memoryBroker()
      const client = start(broker, { store: again() })
      const peer = await broker.accept()
      expect((await peer.welcome()).clientId).toBe(clientId)
      for (const payload of ['1', '2', '3']) {
        const packet = await peer.expect('PUBLISH')
        expect([text(packet.payload), packet.dup]).toEqual([payload, false])
        peer.send({ type: 'PUBACK', packetId: packet.packetId, reasonCode: 0 })
      }
      const closing = client.close()
      await peer.expect('DISCONNECT')
      await closing
    })

    it('has a client send again what an earlier process had in flight when the session is lost', async () => {
      const again = make()
      const broker = memoryBroker()
      const client = start(broker, { clientId: 'c', store: again() })
      client.publish('t', 'one', { qos: 1 }).catch(() => {})
      const peer = await broker.accept()
      await peer.welcome()
      await peer.expect('PUBLISH')
      await client.close({ force: true })
      start(broker, { clientId: 'c', store: again() })
      const next = await broker.accept()
      await next.welcome({ sessionPresent: false })
      expect(await next.expect('PUBLISH')).toMatchObject({ packetId: 1, dup: false })
    })
  })
}

describe('fileStore', () => {
  it('opens after a write that was torn at any byte, with everything before it', async () => {
    const path = join(folder, 'log')
    const store = fileStore(path)
    await store.open()
    store.put('a', Buffer.from('first'))
    await store.commit()
    const before = (await readFile(path)).length
    store.put('b', Buffer.from('second'))
    await store.commit()
    const whole = await readFile(path)
    await store.close()
    for (let length = before; length <= whole.length; length++) {
      await writeFile(path, whole)
      await truncate(path, length)
      const torn = fileStore(path)
      expect([...(await torn.open()).keys()]).toEqual(length < whole.length ? ['a'] : ['a', 'b'])
      torn.put('c', Buffer.from('third'))
      await torn.close()
      const after = fileStore(path)
      expect((await after.open()).has('c')).toBe(true)
      await after.close()
    }
  })

  it('does not take a record whose bytes have changed', async () => {
    const path = join(folder, 'log')
    const store = fileStore(path)
    await store.open()
    store.put('a', Buffer.from('first'))
    store.put('b', Buffer.from('second'))
    await store.close()
    const log = await readFile(path)
    log[log.length - 1]! ^= 1
    await writeFile(path, log)
    const again = fileStore(path)
    expect([...(await again.open()).keys()]).toEqual(['a'])
    await again.close()
  })

  it('is for one client at a time', async () => {
    const path = join(folder, 'log')
    const store = fileStore(path)
    await store.open()
    await expect(fileStore(path).open()).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await store.close()
  })

  it('leaves a file alone that is no store', async () => {
    const path = join(folder, 'notes.txt')
    for (const notes of ['short', 'my notes, which nobody may overwrite']) {
      await writeFile(path, notes)
      const client = start(memoryBroker(), { store: fileStore(path) })
      expect(await client.closed).toMatchObject({ code: 'STORE_FAILED' })
      expect(await readFile(path, 'utf8')).toBe(notes)
    }
  })

  it('stays small: what is settled is not kept for ever', async () => {
    const path = join(folder, 'log')
    const store = fileStore(path)
    await store.open()
    for (let i = 0; i < 200; i++) {
      store.put(`m${i}`, new Uint8Array(16_384))
      if (i > 0) store.delete(`m${i - 1}`)
      await store.commit()
    }
    expect((await readFile(path)).length).toBeLessThan(1_200_000)
    await store.close()
    const again = fileStore(path)
    expect([...(await again.open()).keys()]).toEqual(['m199'])
    await again.close()
  })
})

describe('a store that fails', () => {
  it('rejects the publish with STORE_FAILED, and nothing of it is sent', async () => {
    const broken: Store = {
      open: async () => new Map(),
      put: () => {},
      delete: () => {},
      commit: (() => {
        let calls = 0
        return async () => {
          if (++calls > 1) throw new Error('no space left on device')
        }
      })(),
      close: async () => {},
    }
    const broker = memoryBroker()
    const client = start(broker, { store: broken })
    client.onError(() => {})
    const connected = new Promise<void>((resolve) => client.onConnect(() => resolve()))
    const peer = await broker.accept()
    await peer.welcome()
    await connected
    await expect(client.publish('t', '', { qos: 1 })).rejects.toMatchObject({ code: 'STORE_FAILED' })
    const ping = client.ping()
    await peer.expect('PINGREQ')
    peer.send({ type: 'PINGRESP' })
    await ping
  })
})

function message(packetId: number) {
  return {
    type: 'PUBLISH',
    topic: 't',
    payload: Buffer.from('received'),
    qos: 2,
    retain: false,
    packetId,
  } as const
}
