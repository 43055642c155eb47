import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '@pipit/client'

const client = await connect('mqtt://127.0.0.1:1883', {
  // The broker publishes it when the sensor goes without a word, or says 0x04 as it goes.
  will: { topic: 'home/thermometer/status', payload: 'offline', qos: 1, retain: true },
})
await client.publish('home/thermometer/status', 'online', { qos: 1, retain: true })

const stopped = new AbortController()
process.once('SIGINT', () => stopped.abort())
while (!stopped.signal.aborted) {
  const reading = { celsius: 20 + Math.random(), at: new Date().toISOString() }
  // A reading that has waited for a minute is of no use to anyone.
  const properties = { messageExpiryInterval: 60, contentType: 'application/json' }
  await client.publish('home/thermometer/reading', JSON.stringify(reading), { qos: 1, properties })
  console.log(`sent ${reading.celsius.toFixed(1)} °C`)
  await sleep(1000, undefined, { signal: stopped.signal }).catch(() => {})
}
await client.close({ reasonCode: 0x04 })
