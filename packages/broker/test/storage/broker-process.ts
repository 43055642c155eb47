// A broker in a process of its own, for faults that a process has to suffer: `node broker-process.ts FOLDER`.
import { Broker } from '../../src/index.ts'

const say = (_: object, line: string): void => void process.stderr.write(`${line}\n`)
const broker = new Broker({
  data: process.argv[2] ?? '',
  logger: { info: () => undefined, warn: say, error: say },
})
const { port } = await broker.listen({ port: 0, host: '127.0.0.1' })
console.log(`port ${port}`)
