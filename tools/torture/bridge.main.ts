// Kills the bridge's processes and the broker under load, and counts what was accepted and is lost, or came twice.
//   --seconds N (60)   --rate COMMANDS (1000)   --apis N (4)   --workers N (3)   --kill-every MS (2000)   --restarts N (5)
//   --queue embedded|redis|postgres|redis+postgres (embedded); postgres: messages there, commands in a file
//   --queue-restarts N, of Redis and PostgreSQL (0)
import { parseArgs } from 'node:util'
import { describeBridge, isFlawless, tortureBridge } from './bridge.ts'
import { QUEUES } from './bridge-queue.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '1000' },
    apis: { type: 'string', default: '4' },
    workers: { type: 'string', default: '3' },
    'kill-every': { type: 'string', default: '2000' },
    restarts: { type: 'string', default: '5' },
    queue: { type: 'string', default: 'embedded' },
    'queue-restarts': { type: 'string', default: '0' },
  },
})
const kinds = Object.keys(QUEUES) as (keyof typeof QUEUES)[]
const queue = kinds.find((kind) => kind === values.queue)
if (queue === undefined) {
  console.error(`--queue is ${values.queue}; there are: ${kinds.join(', ')}`)
  process.exit(1)
}
const begun = performance.now()
const result = await tortureBridge({
  apis: Number(values.apis),
  workers: Number(values.workers),
  commandsPerSecond: Number(values.rate),
  messagesPerSecond: Number(values.rate) / 5,
  seconds: Number(values.seconds),
  killEveryMs: Number(values['kill-every']),
  brokerRestarts: Number(values.restarts),
  queue,
  queueRestarts: Number(values['queue-restarts']),
  progress: (line) => console.log(line),
})
console.log(`${queue} engine, ${((performance.now() - begun) / 1000).toFixed(0)} s`)
console.log(describeBridge(result))
process.exit(isFlawless(result) ? 0 : 1)
