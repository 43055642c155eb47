// The broker that bench/abuse.ts measures: anonymous clients and users, TLS and WebSocket beside TCP. It answers the
// message `delay` with how long its event loop was held up since the last one.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Broker, hashPassword } from '@pipit/broker'
import { CertAuthority } from '../../packages/cli/src/cert-authority.ts'

/** How long the event loop was held up. */
export interface Delay {
  readonly p99Ms: number
  readonly maxMs: number
}

const folder = mkdtempSync(join(tmpdir(), 'pipit-abuse-'))
const { authority } = await CertAuthority.at(folder, 1)
await authority.issue('server', { name: 'localhost', purpose: 'server', hosts: ['localhost'], days: 1 })
const passwordFile = join(folder, 'passwords')
writeFileSync(passwordFile, `alice:${await hashPassword(Buffer.from('secret'))}\n`)
const tls = { certificate: join(folder, 'server.crt'), key: join(folder, 'server.key') }
const broker = new Broker({ access: { anonymous: true, passwordFile } })
const listeners = [
  await broker.listen({ port: 0 }),
  await broker.listen({ port: 0, tls }),
  await broker.listenWebSocket({ port: 0 }),
]
rmSync(folder, { recursive: true })
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
process.send?.({ ports: listeners.map(({ port }) => port) })
process.on('message', () => {
  const said: Delay = { p99Ms: delay.percentile(99) / 1e6, maxMs: delay.max / 1e6 }
  process.send?.(said)
  delay.reset()
})
process.on('disconnect', () => process.exit())
