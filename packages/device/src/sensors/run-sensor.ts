import { type Clock, systemClock } from '../clock.ts'
import { DEFAULT_PREFIX, type DeviceLink, deviceTopics } from '../link.ts'
import { ReportGate, type ReportPolicy } from './report.ts'
import { type Reading, readingPayload, type Sensor } from './sensor.ts'

export interface RunSensorOptions {
  /** What the device's topics begin with; default `sensors/esp32-s3`. */
  readonly prefix?: string
  /** Milliseconds between readings; default 5000. */
  readonly everyMs?: number
  /** Which readings are published; absent: all. */
  readonly report?: ReportPolicy
  readonly clock?: Clock
  /** Told of every reading, published or not. */
  readonly onReading?: (reading: Reading) => void
  /** Told of a reading that failed and of a publish that failed; the next reading is tried all the same. */
  readonly onFault?: (error: Error) => void
}

export interface RunningSensor {
  stop(): void
}

/** Publishes a sensor's reading retained on `{prefix}/{quantity}`, at once and then at each interval, as
 *  `{"temperature":21.37,"unit":"°C"}`.
 *  @throws RangeError for an option that is wrong */
export function runSensor(client: DeviceLink, sensor: Sensor, options: RunSensorOptions = {}): RunningSensor {
  const { prefix = DEFAULT_PREFIX, everyMs = 5_000, clock = systemClock } = options
  deviceTopics(prefix)
  const topic = `${prefix}/${sensor.quantity}`
  const gate = options.report === undefined ? undefined : new ReportGate(options.report)
  let cancelTimer: (() => void) | undefined
  let stopped = false

  async function report(): Promise<void> {
    try {
      const now = clock.now()
      const reading = sensor.read(now)
      options.onReading?.(reading)
      if (!Number.isFinite(reading.value)) throw new Error(`${sensor.quantity} could not be measured`)
      if (gate === undefined || gate.isDue(reading.value, now)) {
        await client.publish(topic, readingPayload(sensor, reading), { qos: 0, retain: true })
        gate?.reported(reading.value, now)
      }
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
