// Resident bytes an idle connection costs: our broker beside Debian's Mosquitto, 10,000 connections each.
//
// Each broker is a process of its own; clients are bare sockets that send CONNECT and then nothing.
// --connections N (10000)
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type BrokerKind, mosquittos, PIPIT, start } from './lib/brokers.ts'
import { machineLine } from './lib/machine.ts'
import { count, table } from './lib/table.ts'
import { Link } from './load/link.ts'

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
    for (let i = 0; i < 100; i++) links.push(await Link.open(broker.port, `warm-${i}`))
    const before = residentBytes(broker.pid)
    for (let from = 0; from < connections; from += 100) {
      const size = Math.min(100, connections - from)
      const open = Array.from({ length: size }, (_, i) => Link.open(broker.port, `idle-${from + i}`))
      links.push(...(await Promise.all(open)))
    }
    return (residentBytes(broker.pid) - before) / connections
  } finally {
    for (const link of links) link.close()
    await broker.stop()
  }
}

/** Resident memory of a process; Linux only. */
function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kilobytes) * 1024
}
