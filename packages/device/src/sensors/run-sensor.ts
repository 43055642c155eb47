import { type Clock, systemClock } from '../clock.ts'
import { DEFAULT_PREFIX, type DeviceLink, deviceTopics } from '../link.ts'
import type { Reading, Sensor } from './sensor.ts'

export interface RunSensorOptions {
  /** What the device's topics begin with; default `sensors/esp32-s3`. */
  readonly prefix?: string
  /** Milliseconds between readings; default 5000. */
  readonly everyMs?: number
  readonly clock?: Clock
  readonly onReading?: (reading: Reading) => void
  /** Told of a publish that failed; the next reading is tried all the same. */
  readonly onFault?: (error: Error) => void
}

export interface RunningSensor {
  stop(): void
}

/** Publishes a sensor's reading retained on `{prefix}/{quantity}`, at once and then at each interval, as
 *  `{"temperature":21.37,"unit":"°C"}`. */
export function runSensor(client: DeviceLink, sensor: Sensor, options: RunSensorOptions = {}): RunningSensor {
  const { prefix = DEFAULT_PREFIX, everyMs = 5_000, clock = systemClock } = options
  deviceTopics(prefix)
  const topic = `${prefix}/${sensor.quantity}`
  let cancelTimer: (() => void) | undefined
  let stopped = false

  async function report(): Promise<void> {
    const reading = sensor.read(clock.now())
    options.onReading?.(reading)
    try {
      const payload = JSON.stringify({ [sensor.quantity]: reading.value, unit: reading.unit })
      await client.publish(topic, payload, { qos: 0, retain: true })
    } catch (error) {
      if (!stopped) options.onFault?.(error instanceof Error ? error : new Error(String(error)))
    }
    // The next one waits for this one, so that a broker that is away is not owed a heap of old readings.
    if (!stopped) cancelTimer = clock.after(everyMs, () => void report())
  }

  void report()
  return {
    stop() {
      stopped = true
      cancelTimer?.()
    },
  }
}
