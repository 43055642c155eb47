// A process that a test kills: publishes numbers through a fileStore, at QoS 2, and tells of each step.
// Arguments: url, path of the store, first number, how many ('all' of them are published at once).
import { fileStore, open, type Store } from '@pipit/client'

const [url = '', path = '', first = '0', count = '0'] = process.argv.slice(2)

const say = (text: string): boolean => process.stdout.write(`${text}\n`)

/** Tells up to which number the file has everything. */
class TellingStore implements Store {
  published = Number(first)
  private readonly file = fileStore(path)
  private told = Number(first)

  open(): Promise<ReadonlyMap<string, Uint8Array>> {
    return this.file.open()
  }
  put(key: string, value: Uint8Array): void {
    this.file.put(key, value)
  }
  delete(key: string): void {
    this.file.delete(key)
  }
  close(): Promise<void> {
    return this.file.close()
  }
  async commit(): Promise<void> {
    const upTo = this.published
    await this.file.commit()
    for (; this.told < upTo; this.told++) say(`safe ${this.told}`)
  }
}

const store = new TellingStore()
const client = open(url, {
  clientId: 'killed',
  version: '5.0',
  store,
  reconnect: { minimumDelayMs: 10, maximumDelayMs: 50 },
})
const last = Number(first) + Number(count)
const window: Promise<unknown>[] = []
// The store is open when the client has tried to connect.
for await (const { state } of client.status()) if (state === 'connected' || state === 'waiting') break
while (store.published < last) {
  const number = store.published
  const published = client.publish('killed', String(number), { qos: 2 })
  store.published++
  window.push(published.then(() => say(`acknowledged ${number}`)))
  if (window.length >= 20) await Promise.race([Promise.all(window.splice(0, 10)), new Promise(setImmediate)])
}
await client.close({ timeoutMs: 60_000 })
say('closed')
