// Resident bytes an idle connection costs: our broker beside Debian's Mosquitto, 10,000 connections each.
//
// Each broker is a process of its own; clients are bare sockets that send CONNECT and then nothing.
// --connections N (10000)
import { parseArgs } from 'node:util'
import { Link } from '../packages/cli/src/load/link.ts'
import { type BrokerKind, mosquittos, PIPIT, start } from './lib/brokers.ts'
import { plain } from './lib/load.ts'
import { machineLine, residentBytes } from './lib/machine.ts'
import { count, table } from './lib/table.ts'

const TARGET_BYTES = 8000

const { values } = parseArgs({ options: { connections: { type: 'string', default: '10000' } } })
const connections = Number(values.connections)

console.log(machineLine())
const rows: string[][] = []
let ours = 0
for (const kind of [PIPIT, ...mosquittos().slice(0, 1)]) {
  const bytes = await measure(kind)
  if (kind === PIPIT) ours = bytes
  rows.push([kind.name, count(bytes)])
}
console.log(table(['broker', `bytes a connection (${count(connections)})`], rows))
console.log(`pipit: ${count(ours)} bytes a connection; the target is under ${count(TARGET_BYTES)}`)
process.exitCode = ours < TARGET_BYTES ? 0 : 1

async function measure(kind: BrokerKind): Promise<number> {
  const broker = await start(kind)
  const links: Link[] = []
  try {
    // The first hundred make the broker compile its code and fill its pools: they are not counted.
    for (let i = 0; i < 100; i++) links.push(await Link.open(plain(broker.port), `warm-${i}`))
    const before = residentBytes(broker.pid)
    for (let from = 0; from < connections; from += 100) {
      const size = Math.min(100, connections - from)
      const open = Array.from({ length: size }, (_, i) => Link.open(plain(broker.port), `idle-${from + i}`))
      links.push(...(await Promise.all(open)))
    }
    return (residentBytes(broker.pid) - before) / connections
  } finally {
    for (const link of links) link.close()
    await broker.stop()
  }
}
