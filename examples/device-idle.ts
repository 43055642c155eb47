import { DeviceClient } from '@pipit/device'

// A device that waits to be told: it asks for nothing, and nothing wakes it before its keep alive is due.
const [, , port = '1883'] = process.argv
const client = new DeviceClient({
  clientId: 'idle',
  server: '127.0.0.1',
  port: Number(port),
  keepAlive: 600,
  connectTimeoutMs: 2000,
})
client.onMessage((message) => console.log(`told ${message.text()}`))
if (!(await client.connect())) throw client.failure
await client.subscribe('home/idle/set')
console.log('ready')
