import { connect } from '@pipit/client'

const client = await connect('mqtt://127.0.0.1:1883')

const states = await client.subscribe('sensors/esp32-s3/led/state')
const red = { action: 'set_color', r: 255, g: 0, b: 0, w: 0 }
await client.publish('sensors/esp32-s3/led/control', JSON.stringify(red), { qos: 1 })

for await (const state of states) {
  console.log(state.text())
  if (state.text().includes('"r":255')) break
}
await client.close()
