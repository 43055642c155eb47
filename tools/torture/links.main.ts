// Restarts our broker and Mosquitto in turn while a link carries messages both ways, and counts what is lost.
//   --restarts N (20)   --link-at pipit|mosquitto (pipit)   --version mqttv311|mqttv50 (mqttv311)   --qos 1|2 (1)
//   --only-kills: only ours is restarted; at QoS 2 nothing is repeated then, which counts too
import { parseArgs } from 'node:util'
import { describeLinks, tortureLinks } from './links.ts'

const { values } = parseArgs({
  options: {
    restarts: { type: 'string', default: '20' },
    'link-at': { type: 'string', default: 'pipit' },
    version: { type: 'string', default: 'mqttv311' },
    qos: { type: 'string', default: '1' },
    'only-kills': { type: 'boolean', default: false },
  },
})
const linkAt = values['link-at']
const { version } = values
const restarts = Number(values.restarts)
const qos = Number(values.qos)
if (linkAt !== 'pipit' && linkAt !== 'mosquitto') {
  throw new RangeError(`--link-at ${linkAt}: want pipit or mosquitto`)
}
if (version !== 'mqttv311' && version !== 'mqttv50') {
  throw new RangeError(`--version ${version}: want mqttv311 or mqttv50`)
}
if (!Number.isInteger(restarts) || restarts < 1) {
  throw new RangeError(`--restarts ${values.restarts}: want a whole number`)
}
if (qos !== 1 && qos !== 2) throw new RangeError(`--qos ${values.qos}: want 1 or 2`)
const begun = performance.now()
const onlyKills = values['only-kills']
const progress = (line: string): void => console.log(line)
const result = await tortureLinks({ restarts, linkAt, version, qos, onlyKills, progress })
console.log(`link at ${linkAt}, ${version}, QoS ${qos}, ${((performance.now() - begun) / 1000).toFixed(0)} s`)
console.log(describeLinks(result))
const repeated = onlyKills && qos === 2 ? result.out.repeated + result.in.repeated : 0
process.exit(result.out.lost + result.in.lost + repeated === 0 ? 0 : 1)
