// The broker pushes and nothing polls: what the kernel sees of a device that waits.
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Broker } from '@pipit/broker'
import { connect, type MqttClient } from '@pipit/client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { program } from '../tools/interop.ts'

const strace = program('strace')
/** A container may have strace and not let it trace. */
const traces = strace !== undefined && spawnSync(strace, ['-qq', 'true'], { stdio: 'ignore' }).status === 0
const WINDOW_MS = 2500

let folder = ''
let broker: Broker
let other: MqttClient
let device: ChildProcessWithoutNullStreams
let said = ''

/** One system call of the trace: when it began, and what it was. */
interface Call {
  readonly thread: string
  readonly at: number
  readonly text: string
}

describe.skipIf(!traces)('under strace (skipped where it is not installed, or may not trace)', () => {
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pipit-idle-'))
    broker = new Broker()
    const { port } = await broker.listen({ port: 0, host: '127.0.0.1' })
    other = await connect(`mqtt://127.0.0.1:${port}`)
    const file = join(import.meta.dirname, 'device-idle.ts')
    // V8 looks for memory to give back a few times in the first minute of any program.
    const node = [process.execPath, '--no-memory-reducer', '--conditions=@pipit/source', file, String(port)]
    device = spawn(strace ?? 'strace', ['-ff', '-ttt', '-s', '200', '-o', join(folder, 'trace'), ...node])
    said = ''
    device.stdout.on('data', (bytes) => (said += bytes))
    await says('ready')
  })
  afterEach(async () => {
    const ended = once(device, 'close')
    await other.close()
    // Without its connection the device has nothing left to wait for.
    await broker.close()
    if (device.exitCode === null && device.signalCode === null) await ended
    rmSync(folder, { recursive: true })
  })

  test('an idle device makes no system call before its keep alive is due', async () => {
    let quiet: Call[] | undefined
    // Node finishes what its start has left over; then every window is quiet.
    for (let round = 0; round < 12 && quiet === undefined; round++) {
      await tell(`mark ${round}`)
      await sleep(WINDOW_MS)
      await tell(`next ${round}`)
      const calls = between(`mark ${round}`, `next ${round}`)
      if (calls.length === 1) quiet = calls
    }
    // All that any thread asked of the kernel is to be woken by a message, or when the keep alive is due.
    const [, timeout] = /^epoll_p?wait\(\d+, \[\{.*\}\], \d+, (\d+)/.exec(quiet?.[0]?.text ?? '') ?? []
    expect(Number(timeout)).toBeGreaterThan(500_000)
  }, 120_000)
})

/** Tells the device something and waits until it says that it was told. */
async function tell(text: string): Promise<void> {
  await other.publish('home/idle/set', text, { qos: 1 })
  await says(`told ${text}\n`)
}

function says(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (!said.includes(text)) return
      device.stdout.off('data', look)
      device.off('exit', ended)
      resolve()
    }
    const ended = (): void => reject(new Error(`the device ended: ${said}`))
    device.stdout.on('data', look)
    device.on('exit', ended)
    look()
  })
}

/** Calls of all threads that were begun after the device had said the first and before it read the second. */
function between(first: string, second: string): Call[] {
  const calls = readdirSync(folder).flatMap(callsOf)
  const spoken = calls.find(({ text }) => text.startsWith('write(1,') && text.includes(`told ${first}\\n`))
  const read = calls.find(({ text }) => text.startsWith('read(') && text.includes(second))
  if (spoken === undefined || read === undefined) throw new Error('the trace lacks what the device did')
  const main = spoken.thread
  return calls.filter(
    ({ at, thread, text }) =>
      at > spoken.at &&
      at < read.at &&
      // A look that does not wait ends the turn in which the device spoke.
      !(thread === main && /^epoll_p?wait\(.*, 0, NULL, 8\) = 0$/.test(text)),
  )
}

function callsOf(name: string): Call[] {
  const lines = readFileSync(join(folder, name), 'utf8').split('\n')
  return lines.flatMap((line) => {
    const [, at, text] = /^(\d+\.\d+) (\w.*)$/.exec(line) ?? []
    return at === undefined || text === undefined ? [] : [{ thread: name, at: Number(at), text }]
  })
}
