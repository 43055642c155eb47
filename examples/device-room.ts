import {
  announce,
  Counter,
  calibrated,
  DeviceClient,
  type DeviceClientOptions,
  MotionSensor,
  runLight,
  runSensor,
  sensorOf,
  statusWill,
} from '@pipit/device'

const prefix = 'home/room'

/** A room with a light and sensors, in Home Assistant too. `where` is a broker, or a simulation. */
export async function room(where: Partial<DeviceClientOptions>, print: (line: string) => void) {
  const client = new DeviceClient({
    clientId: 'room',
    server: '127.0.0.1',
    will: statusWill(prefix),
    ...where,
  })
  if (!(await client.connect())) throw new Error('no broker', { cause: client.failure })
  const { link } = client

  const light = await runLight(link, {
    prefix,
    homeAssistant: true,
    output: { power: { limitMilliamperes: 30 } },
    onShow: ({ r, g, b, w }, _, { milliamperes }) =>
      print(`${r} ${g} ${b} ${w}, ${milliamperes.toFixed(0)} mA`),
    onFault: (error) => print(error.message),
  })
  const bell = new Counter({ quantity: 'bell', start: 2 })
  bell.add()
  const motion = new MotionSensor()
  const probe = calibrated(
    sensorOf('temperature', () => 20.94),
    { offset: 0.5 },
  )
  const sensors = [probe, motion, bell]
  const running = sensors.map((sensor) => runSensor(link, sensor, { prefix, report: { hysteresis: 0.5 } }))
  const announced = await announce(link, { id: 'room', name: 'Room', prefix, light: true, sensors })

  return async () => {
    announced.stop()
    for (const sensor of running) sensor.stop()
    await light.stop()
    await client.disconnect()
  }
}

if (import.meta.main) await room({ simulate: 'if-no-broker' }, console.log)
