import { type CycleOptions, estimateCharge, runCycle } from '@pipit/device'
import { configurationFile, keptMessagesFile } from '@pipit/device/node'

/** A thermometer that sleeps between two readings: what it measured while the broker was away goes out later.
 *  @param folder of its configuration file and of what it keeps */
export function thermometer(folder: string): CycleOptions<number> {
  return {
    wake: () => ({ now: Date.now() / 1000 }),
    read: () => 21.5,
    publish: (celsius) => [{ topic: 'home/porch/temperature', payload: celsius.toFixed(1), qos: 1 }],
    config: configurationFile(`${folder}/config.json`),
    keep: { store: keptMessagesFile(`${folder}/kept.json`), policy: 'oldestFirst', limit: 500 },
    sleep: () => {},
  }
}

if (import.meta.main) {
  const report = await runCycle(thermometer(process.argv[2] ?? '.'))
  console.log(report)
  const { mahPerDay } = estimateCharge([report])
  console.log(`${mahPerDay.toFixed(1)} mAh a day, or ${Math.round(2000 / mahPerDay)} days from 2000 mAh`)
}
