import { checkConfigUpdate, publishSensorData, type SetupOptions, setupMqtt } from '@pipit/device'
import { configurationFile } from '@pipit/device/node'

/** One round of a device that is moved from Python: the same configuration file, the same three calls.
 *  @param path of the file */
export async function round(path: string, options: SetupOptions, say: (line: string) => void) {
  const store = configurationFile(path)
  let config = await store.load()
  const client = await setupMqtt(config, { ...options, store, say })

  const sensor = { id: 'porch-dht22', unit: 'C' }
  const published = await publishSensorData(client, config, sensor, 21.5, 40, { say })
  say(`published: ${published}`)

  config = await checkConfigUpdate(client, config, config, { store, say })
  say(`version ${config.version}, next round in ${config.update_interval} s`)
  await client?.disconnect()
}

if (import.meta.main) await round(process.argv[2] ?? 'config.json', {}, console.log)
