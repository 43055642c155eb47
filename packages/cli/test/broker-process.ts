// A durable broker in a process of its own, to be killed: `node broker-process.ts PORT FOLDER`. It begins at the first
// line of its input, so that the next one is loaded while one is still there.
import { once } from 'node:events'
import { Broker } from '@pipit/broker'

const [port, data] = process.argv.slice(2)
await once(process.stdin, 'data')
await new Broker({ data }).listen({ port: Number(port), host: '127.0.0.1' })
console.log('ready')
