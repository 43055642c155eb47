import { type CycleCost, estimateCharge } from '@pipit/device'

/** A wake: `attempts` connections that keep the radio on for `seconds`, then sleep. */
function wake(attempts: number, seconds: number, sleepSeconds: number): CycleCost {
  return { attempts, sleepSeconds, radioOnMs: seconds * 1000, awakeMs: seconds * 1000 + 20, bytesSent: 200 }
}

const day = (count: number, each: (index: number) => CycleCost) =>
  Array.from({ length: count }, (_, i) => each(i))
const policies = {
  'sends every minute': day(1440, () => wake(1, 0.3, 60)),
  'sends every 10 minutes': day(144, () => wake(1, 0.3, 600)),
  'sends every hour': day(24, () => wake(1, 0.3, 3600)),
  'measures every 10 minutes, sends every hour': day(144, (i) =>
    wake(i % 6 === 0 ? 1 : 0, i % 6 === 0 ? 0.3 : 0, 600),
  ),
  'broker away, tries every 10 minutes': day(144, () => wake(1, 10, 600)),
  'broker away, reconnect policy': day(144, (i) => wake(i % 36 === 0 ? 1 : 0, i % 36 === 0 ? 10 : 0, 600)),
}
for (const [name, cycles] of Object.entries(policies)) {
  const { mahPerDay } = estimateCharge(cycles)
  console.log(`${name.padEnd(44)} ${mahPerDay.toFixed(1).padStart(5)} mAh a day`)
}
