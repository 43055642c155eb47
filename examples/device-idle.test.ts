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
/** Time in which V8's threads are done with what the last message gave them to do. */
const SETTLE_SECONDS = 1
const WINDOW_MS = 3000

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
    // In the first minute of any program V8 looks for memory to give back.
    const node = [process.execPath, '--no-memory-reducer', '--conditions=@pipit/source', file, String(port)]
    device = spawn(strace ?? 'strace', ['-ff', '-ttt', '-s', '200', '-o', join(folder, 'trace'), ...node], {
      detached: true,
    })
    said = ''
    device.stdout.on('data', (bytes) => (said += bytes))
    await says('ready')
  })
  afterEach(async () => {
    await other.close()
    await broker.close()
    // Both, strace and what it traces.
    const ended = device.exitCode === null && device.signalCode === null ? once(device, 'close') : undefined
    if (ended !== undefined && device.pid !== undefined) process.kill(-device.pid, 'SIGKILL')
    await ended
    rmSync(folder, { recursive: true })
  })

  test('an idle device makes no system call before its keep alive is due', async () => {
    let seen: Window | undefined
    // Node finishes what its start has left over; then every window is quiet.
    for (let round = 0; round < 12 && seen?.calls.length !== 0; round++) {
      await tell(`mark ${round}`)
      await sleep(WINDOW_MS)
      await tell(`next ${round}`)
      seen = windowBetween(`mark ${round}`, `next ${round}`)
    }
    // No thread asked the kernel for anything, and what the device waits for is a message or its keep alive.
    expect(seen?.calls).toEqual([])
    expect(seen?.timeoutMs).toBeGreaterThan(500_000)
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

interface Window {
  /** Begun by any thread while the device had nothing to do. */
  readonly calls: readonly Call[]
  /** For how long the device was ready to wait. */
  readonly timeoutMs: number
}

/** What happened from a second after the device had said the first until it read the second. */
function windowBetween(first: string, second: string): Window {
  const calls = readdirSync(folder).flatMap(callsOf)
  const spoken = calls.find(({ text }) => text.startsWith('write(1,') && text.includes(`told ${first}\\n`))
  const read = calls.find(({ text }) => text.startsWith('read(') && text.includes(second))
  if (spoken === undefined || read === undefined) throw new Error('the trace lacks what the device did')
  const waits = calls.filter(({ thread, at }) => thread === spoken.thread && at < read.at)
  const [, timeout] = /^epoll_p?wait\(\d+, \[\{.*\}\], \d+, (\d+)/.exec(waits.at(-1)?.text ?? '') ?? []
  return {
    calls: calls.filter(({ at }) => at > spoken.at + SETTLE_SECONDS && at < read.at),
    timeoutMs: Number(timeout),
  }
}

function callsOf(name: string): Call[] {
  const lines = readFileSync(join(folder, name), 'utf8').split('\n')
  return lines.flatMap((line) => {
    const [, at, text] = /^(\d+\.\d+) (\w.*)$/.exec(line) ?? []
    return at === undefined || text === undefined ? [] : [{ thread: name, at: Number(at), text }]
  })
}
