import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileStore, open } from '@pipit/client'

// Returns at once, with a broker or without. What is published meanwhile waits in the file, over restarts too.
const client = open('mqtt://127.0.0.1:1883', {
  store: fileStore(process.argv[2] ?? join(tmpdir(), 'pipit-offline-queue')),
  queue: { limitMessages: 10_000, policy: 'dropOldest' },
  reconnect: { minimumDelayMs: 100, maximumDelayMs: 5000 },
})

const readings = ['21.5', '21.7', '22.0']
const sent = readings.map((reading) => client.publish('cellar/temperature', reading, { qos: 1 }))
console.log(`${client.state}: ${client.metrics().queued} readings wait`)

await Promise.all(sent)
console.log('the broker has all of them')
await client.close()
