// One wake after the other: measures, connects, publishes, reads its configuration, sleeps.
// `node device.js --once` wakes once, for a device that something else wakes, such as cron.
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { runCycle, sensorMessages, simulatedClimate } from '@pipit/device'
import { configurationFile } from '@pipit/device/node'

const config = configurationFile(fileURLToPath(new URL('config.json', import.meta.url)))
const once = process.argv.includes('--once')
const now = () => Date.now() / 1000

// Put your sensor here: a function that gives { temperature, humidity }.
const measure = simulatedClimate()

const ended = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => ended.abort())

let slept
while (!ended.signal.aborted) {
  const report = await runCycle({
    wake: () => ({ now: now(), slept }),
    read: () => measure(performance.now()),
    publish: (climate, file) =>
      sensorMessages(file.mqtt.topic_data_prefix, file.device_id, rounded(climate), now()),
    config,
    // What could not be sent is kept in config.json, every reading of it.
    keep: { policy: 'oldestFirst', limit: 200 },
    sleep: () => {},
  })
  console.log(
    `${report.outcome}: ${report.sent} sent, ${report.kept} kept, radio on for ${Math.round(report.radioOnMs)} ms`,
  )
  for (const fault of report.faults) console.error(fault)
  if (once) {
    process.exitCode = report.outcome === 'sent' ? 0 : 1
    break
  }
  slept = report.sleepSeconds
  await pause(slept * 1000, undefined, { signal: ended.signal }).catch(() => {})
}

function rounded({ temperature, humidity }) {
  return { temperature: Math.round(temperature * 100) / 100, humidity: Math.round(humidity * 10) / 10 }
}
