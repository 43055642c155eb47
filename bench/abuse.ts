// What attackers cost ordinary clients: 5,000 half-open and 2,000 slow-loris connections on TCP, TLS and WebSocket, and
// 1,000 wrong logins a second from many addresses.
//
// Broker, attackers and ordinary clients are a process each. --rounds N (3000) messages are timed with and without.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { connect, type MqttClient } from '@pipit/client'
import type { Attack } from './lib/abuse-attacker.ts'
import type { Delay } from './lib/abuse-broker.ts'
import { machineLine } from './lib/machine.ts'
import { median } from './lib/stats.ts'
import { table } from './lib/table.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3000' } } })
const rounds = Number(values.rounds)
const SECONDS_OF_LOGINS = 4

console.log(machineLine())
const broker = run('abuse-broker.ts')
const { ports } = await said<{ ports: number[] }>(broker)
const client = await connect(`mqtt://127.0.0.1:${ports[0]}`, { version: '5.0', reconnect: false })
const messages = await client.subscribe('ping')
const incoming = messages[Symbol.asyncIterator]()
await latency(client) // compiles
const before = await latency(client)

const halfOpen = run('abuse-attacker.ts', 'half-open', '5000', ...ports.map(String))
const slow = run('abuse-attacker.ts', 'slow', '2000', ...ports.map(String))
await Promise.all([said(halfOpen), said(slow)])
const during = await latency(client)
const open = (await ask<Attack>(halfOpen)).open + (await ask<Attack>(slow)).open
halfOpen.kill()
slow.kill()
await Promise.all([once(halfOpen, 'exit'), once(slow, 'exit')])
const after = await latency(client)
const quiet = median([before, after])

await ask(broker)
await new Promise((resolve) => setTimeout(resolve, 1_000))
const idle = await ask<Delay>(broker)
const logins = run('abuse-attacker.ts', 'logins', '1000', ...ports.map(String))
await said(logins)
await ask(broker)
await ask(logins)
await new Promise((resolve) => setTimeout(resolve, SECONDS_OF_LOGINS * 1_000))
const loop = await ask<Delay>(broker)
const { answered } = await ask<Attack>(logins)
const attacked = await latency(client)
logins.kill()
await once(logins, 'exit')
await client.close()
broker.kill()

const us = (value: number): string => `${(value * 1000).toFixed(0)} us`
const ms = (value: number): string => `${value.toFixed(1)} ms`
console.log(
  table(
    ['', 'median latency', 'ratio'],
    [
      ['quiet', us(quiet), '1.00'],
      [`${open} half-open and slow connections`, us(during), (during / quiet).toFixed(2)],
      [
        `${Math.round(answered / SECONDS_OF_LOGINS)} wrong logins a second`,
        us(attacked),
        (attacked / quiet).toFixed(2),
      ],
    ],
  ),
)
console.log(
  `event loop delay p99: quiet ${ms(idle.p99Ms)}, with wrong logins ${ms(loop.p99Ms)} (max ${ms(loop.maxMs)})`,
)
console.log('the targets: half-open and slow under 2 times the quiet latency; wrong logins under 20 ms')
process.exitCode = during / quiet < 2 && loop.p99Ms < 20 ? 0 : 1

/** Milliseconds from PUBLISH to its delivery, the middle of all rounds. */
async function latency(publisher: MqttClient): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < rounds; i++) {
    const begun = performance.now()
    await publisher.publish('ping', 'x')
    await incoming.next()
    times.push(performance.now() - begun)
  }
  return median(times)
}

function run(script: string, ...args: string[]): ChildProcess {
  return fork(join(import.meta.dirname, 'lib', script), args, { execArgv: ['--conditions=@pipit/source'] })
}

async function said<T>(child: ChildProcess): Promise<T> {
  const [message] = (await once(child, 'message')) as [T]
  return message
}

async function ask<T>(child: ChildProcess): Promise<T> {
  const answer = said<T>(child)
  child.send('report')
  return answer
}
