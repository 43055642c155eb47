import { DeviceClient, type DeviceClientOptions } from '@pipit/device'

/** A lamp's first words. `where` is a broker, or a simulation. */
export async function lamp(where: Partial<DeviceClientOptions>, print: (line: string) => void) {
  const client = new DeviceClient({ clientId: 'esp32-s3', server: '127.0.0.1', ...where })
  const told = new Promise<void>((resolve) => {
    client.onMessage((message) => {
      print(`told ${message.text()} on ${message.topic}`)
      resolve()
    })
  })

  if (!(await client.connect())) {
    print(`no broker: ${client.failure?.message}`)
    return
  }
  await client.subscribe('home/lamp/set', { qos: 1 })
  await client.publish('home/lamp/state', 'on', { retain: true, qos: 1 })

  const state = await client.readTopic('home/lamp/state')
  print(`the broker keeps ${state?.text()}`)
  const nothing = await client.readTopic('home/lamp/firmware', 0.1)
  print(`no news of firmware: ${nothing === undefined}`)

  await client.publish('home/lamp/set', 'off', { qos: 1 })
  await told
  await client.ping()
  await client.disconnect()
}

if (import.meta.main) await lamp({ simulate: 'if-no-broker' }, console.log)
