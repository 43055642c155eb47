import type { CycleReport } from './types.ts'

/** Currents of a device, and what a wake costs besides MQTT. */
export interface PowerModel {
  readonly deepSleepMilliamperes: number
  /** Awake with the radio off. */
  readonly cpuMilliamperes: number
  /** Radio on, listening or receiving. */
  readonly receiveMilliamperes: number
  readonly transmitMilliamperes: number
  /** What the radio sends in a second while it sends. */
  readonly transmitBitsPerSecond: number
  /** From waking to the program's first line; at `cpuMilliamperes`. */
  readonly bootMs: number
  /** Joining the network before MQTT can begin, in each wake that tries; at `receiveMilliamperes`. */
  readonly joinMs: number
}

/** An ESP32-S3 at 3.3 V and 25 °C. Currents: ESP32-S3 Series Datasheet by Espressif Systems, section 5.6 "Current
 *  Consumption". Table 5-10: deep sleep with RTC memory on and RTC peripherals off, 7 µA. Table 5-9: modem sleep at
 *  160 MHz, one core busy, peripheral clocks on, 54.6 mA. Table 5-7: receiving 802.11b/g/n HT20, 88 mA; sending 802.11b
 *  at 1 Mbit/s and 21 dBm, 340 mA, the dearest rate there is. These are the chip's figures: a board's regulator, its
 *  USB bridge and its sensors come on top. `bootMs` and `joinMs` (WPA2, DHCP) are assumptions, not datasheet figures;
 *  measure yours. */
export const ESP32_S3: PowerModel = {
  deepSleepMilliamperes: 0.007,
  cpuMilliamperes: 54.6,
  receiveMilliamperes: 88,
  transmitMilliamperes: 340,
  transmitBitsPerSecond: 1_000_000,
  bootMs: 300,
  joinMs: 1500,
}

/** What a cycle's charge is worked out from; a `CycleReport` has it. */
export type CycleCost = Pick<CycleReport, 'awakeMs' | 'radioOnMs' | 'bytesSent' | 'attempts' | 'sleepSeconds'>

/** Charge in milliampere hours. */
export interface ChargeEstimate {
  /** Seconds that the cycles took, asleep and awake. */
  readonly seconds: number
  readonly sleepMah: number
  readonly cpuMah: number
  readonly radioMah: number
  readonly totalMah: number
  /** The average of a day. */
  readonly mahPerDay: number
}

const MS_PER_HOUR = 3_600_000
const DAY_SECONDS = 86_400

/** Estimates what cycles cost, so that policies can be compared:
 *
 *  - asleep: `deepSleep × sleepSeconds`
 *  - awake with the radio off: `cpu × (bootMs + awakeMs − radioOnMs)`
 *  - radio on: `receive × (radioOnMs + joinMs)`, and `(transmit − receive)` for as long as `bytesSent` take to send;
 *    `joinMs` only in wakes that tried to connect
 *
 *  Average per day: the whole charge over the whole time, times 24 hours.
 *  @returns zeros for no cycles */
export function estimateCharge(cycles: Iterable<CycleCost>, model: PowerModel = ESP32_S3): ChargeEstimate {
  let [seconds, sleepMah, cpuMah, radioMah] = [0, 0, 0, 0]
  for (const cycle of cycles) {
    const joinMs = cycle.attempts > 0 ? model.joinMs : 0
    const cpuMs = model.bootMs + Math.max(0, cycle.awakeMs - cycle.radioOnMs)
    const radioMs = cycle.radioOnMs + joinMs
    const sendingMs = Math.min(radioMs, (cycle.bytesSent * 8000) / model.transmitBitsPerSecond)
    seconds += cycle.sleepSeconds + (cpuMs + radioMs) / 1000
    sleepMah += (model.deepSleepMilliamperes * cycle.sleepSeconds) / 3600
    cpuMah += (model.cpuMilliamperes * cpuMs) / MS_PER_HOUR
    const extra = (model.transmitMilliamperes - model.receiveMilliamperes) * sendingMs
    radioMah += (model.receiveMilliamperes * radioMs + extra) / MS_PER_HOUR
  }
  const totalMah = sleepMah + cpuMah + radioMah
  const mahPerDay = seconds === 0 ? 0 : (totalMah * DAY_SECONDS) / seconds
  return { seconds, sleepMah, cpuMah, radioMah, totalMah, mahPerDay }
}
