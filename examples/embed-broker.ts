import { Broker } from '@pipit/broker'
import { connect } from '@pipit/client'

const broker = new Broker()
const listener = await broker.listen({ port: 0, host: '127.0.0.1' })

const client = await connect(`mqtt://127.0.0.1:${listener.port}`)
const messages = await client.subscribe('greetings/#')
broker.publish('greetings/world', 'hello')

for await (const message of messages) {
  console.log(`${message.topic}: ${message.text()}`)
  break
}
await client.close()
await broker.close()
