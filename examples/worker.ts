import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '@pipit/client'

// The session outlives the worker: what it has not acknowledged comes again when it is back.
const worker = await connect('mqtt://127.0.0.1:1883', {
  clientId: 'worker-1',
  cleanStart: false,
  properties: { sessionExpiryInterval: 3600, receiveMaximum: 5 },
})
process.once('SIGINT', () => void worker.close())

// Each job goes to one of the workers in the group.
const jobs = await worker.subscribe('$share/workers/jobs/+', { qos: 1, acknowledge: 'manual' })
console.log('ready')
for await (const job of jobs) {
  console.log(`begun ${job.topic}: ${job.text()}`)
  await sleep(Number(job.text()))
  job.acknowledge()
  console.log(`done ${job.topic}`)
}
