import { connect } from '@pipit/client'
import {
  announce,
  climateSensors,
  MotionSensor,
  runLight,
  runSensor,
  simulatedClimate,
  statusWill,
} from '@pipit/device'

const prefix = 'home/lamp'
const url = process.argv[2] ?? 'mqtt://127.0.0.1:1883'
// The broker says `offline` when the device is gone without a word.
const client = await connect(url, { clientId: 'lamp-1', will: statusWill(prefix) })

const light = await runLight(client, { prefix, homeAssistant: true })
const { temperature, humidity } = climateSensors(simulatedClimate())
const sensors = [temperature, humidity, new MotionSensor()]
const report = { hysteresis: 0.2, minimumIntervalMs: 1_000, maximumIntervalMs: 60_000 }
const running = sensors.map((sensor) => runSensor(client, sensor, { prefix, report }))
const announced = await announce(client, { id: 'lamp-1', name: 'Lamp', prefix, light: true, sensors })
console.log('announced to Home Assistant')

process.once('SIGINT', async () => {
  announced.stop()
  for (const sensor of running) sensor.stop()
  await light.stop()
  await client.close()
})
