// Kills a broker under load with SIGKILL, again and again, and counts what was acknowledged and is lost.
//   --rounds N (10)   --broker pipit|mosquitto (pipit)   --durability always|interval|off (always)
//   --full-disk: the broker's disk is full now and then (root on Linux)
import { parseArgs } from 'node:util'
import { describe, isFlawless, torture } from './storage.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    broker: { type: 'string', default: 'pipit' },
    durability: { type: 'string' },
    'full-disk': { type: 'boolean', default: false },
  },
})
const { broker } = values
const rounds = Number(values.rounds)
if (broker !== 'pipit' && broker !== 'mosquitto')
  throw new RangeError(`--broker ${broker}: want pipit or mosquitto`)
if (!Number.isInteger(rounds) || rounds < 1)
  throw new RangeError(`--rounds ${values.rounds}: want a whole number`)
const begun = performance.now()
const brokerOptions = values.durability === undefined ? [] : ['--durability', values.durability]
const fullDisk = values['full-disk']
const result = await torture({
  ...{ rounds, broker, brokerOptions, fullDisk },
  progress: (line) => console.log(line),
})
console.log(`${broker}, ${((performance.now() - begun) / 1000).toFixed(0)} s`)
console.log(describe(result))
process.exit(isFlawless(result) || broker !== 'pipit' ? 0 : 1)
