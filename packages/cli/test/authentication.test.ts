import { Broker, ScramSha256, scramCredentials } from '@pipit/broker'
import { connect, type MqttClient, scramSha256 } from '@pipit/client'
import { afterEach, expect, test } from 'vitest'

const credentials = await scramCredentials('pencil', { iterations: 4096 })
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function login(username: string, password: string): Promise<MqttClient> {
  const known = (name: string) => (name === 'us=er,1' ? credentials : undefined)
  const broker = new Broker({ authenticators: [new ScramSha256({ credentials: known })] })
  const { port } = await broker.listen({ port: 0 })
  ends.push(() => broker.close())
  const authenticator = scramSha256({ username, password })
  const client = await connect(`mqtt://127.0.0.1:${port}`, {
    version: '5.0',
    reconnect: false,
    authenticator,
  })
  ends.push(() => client.close())
  return client
}

test('client and broker prove to each other that they know the password', async () => {
  const client = await login('us=er,1', 'pencil')
  await client.publish('t', 'x', { qos: 1 })
  await client.reauthenticate()
})

test.each([
  ['us=er,1', 'pen'],
  ['nobody', 'pencil'],
])('%s with %s is refused with 0x86', async (username, password) => {
  await expect(login(username, password)).rejects.toMatchObject({
    code: 'CONNECTION_REFUSED',
    reasonCode: 0x86,
  })
})
