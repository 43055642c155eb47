// Runs the built client on whatever Node this is: connects to each URL, publishes and receives at each QoS.
// Plain JavaScript: Node 20 does not take TypeScript.
import { connect, fileStore } from '@pipit/client'

const [store, ...urls] = process.argv.slice(2)

for (const url of urls) {
  for (const version of ['3.1.1', '5.0']) {
    const client = await connect(url, { version })
    const topic = `smoke/${client.clientId}`
    const messages = await client.subscribe(topic, { qos: 2 })
    for (const qos of [0, 1, 2]) {
      const payload = new Uint8Array(100_000).map((_, i) => i * 31 + qos)
      const published = client.publish(topic, payload, { qos })
      const { value } = await messages.next()
      if (value.qos !== qos) throw new Error(`${url}: QoS ${qos} came as ${value.qos}`)
      if (Buffer.compare(value.payload, payload) !== 0)
        throw new Error(`${url}: other bytes came at QoS ${qos}`)
      await published
    }
    await client.ping()
    await client.close()
    console.log(`${process.version} ${version} ${new URL(url).protocol} ok`)
  }
}

const stored = await connect(urls[0], { store: fileStore(store) })
await stored.respond('smoke/service', (request) => request.text().toUpperCase())
const response = await stored.request('smoke/service', 'stored', { timeoutMs: 10_000 })
if (response.text() !== 'STORED') throw new Error(`the service answered ${response.text()}`)
await stored.close()
console.log(`${process.version} fileStore and request ok`)
