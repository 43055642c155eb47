import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Engine } from '@pipit/bridge'
import { connect, type MqttClient } from '@pipit/client'
import { Part } from './bridge-part.ts'
import { QUEUES, type TortureQueue } from './bridge-queue.ts'
import { Scene, type SceneResult } from './bridge-scene.ts'
import { BrokerProcess, freePort } from './brokers.ts'

export interface BridgeTortureOptions {
  readonly apis: number
  readonly workers: number
  /** Commands, and messages of another publisher, in a second. */
  readonly commandsPerSecond: number
  readonly messagesPerSecond: number
  readonly seconds: number
  readonly killEveryMs: number
  readonly brokerRestarts: number
  /** Default: a file of the embedded engine. */
  readonly queue?: keyof typeof QUEUES
  /** How often Redis and PostgreSQL are killed. Default 0. */
  readonly queueRestarts?: number
  readonly progress?: (line: string) => void
}

export interface BridgeTortureResult extends SceneResult {
  readonly kills: number
  readonly brokerRestarts: number
}

/** Kills API processes, workers and the broker under load, and counts what is missing or came twice. */
export async function tortureBridge(options: BridgeTortureOptions): Promise<BridgeTortureResult> {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-torture-bridge-'))
  const queue = await QUEUES[options.queue ?? 'embedded'](folder)
  const port = await freePort()
  const broker = BrokerProcess.pipit(port, join(folder, 'data'))
  await broker.start()
  const url = `mqtt://127.0.0.1:${port}`
  const shared = ['--broker', url, ...queue.args]
  const apis: Part[] = []
  for (let i = 0; i < options.apis; i++)
    apis.push(new Part('api', [...shared, '--port', String(await freePort())]))
  const workers = Array.from({ length: options.workers }, () => new Part('worker', shared))
  const parts = [...apis, ...workers]
  await Promise.all(parts.map((part) => part.ready()))
  const engine = queue.open()
  const scene = new Scene(engine, apis, await quickClient(url), await quickClient(url))
  let isOk = false
  try {
    await scene.begin()
    const kills = await chaos(options, scene, parts, broker, queue)
    while (!(await answers(engine))) await pause(50)
    await scene.settled()
    const result = { ...(await scene.result()), kills, brokerRestarts: options.brokerRestarts }
    for (const part of parts) for (const line of part.complaints()) options.progress?.(line)
    isOk = isFlawless(result)
    if (!isOk) for (const line of scene.faults().slice(0, 20)) options.progress?.(line)
    return result
  } finally {
    await scene.end()
    await Promise.all(parts.map((part) => part.end()))
    await broker.kill()
    await engine.close()
    await queue.end()
    if (isOk) rmSync(folder, { recursive: true, force: true })
    else options.progress?.(`the data folder is ${folder}`)
  }
}

export function isFlawless(result: BridgeTortureResult): boolean {
  const { lost, duplicated, unsettled, missing, storedTwice } = result
  return lost + duplicated + unsettled + missing + storedTwice === 0
}

export function describeBridge(result: BridgeTortureResult): string {
  const { kills, brokerRestarts, accepted, published, stored, repeatedAtQos1 } = result
  const { lost, duplicated, unsettled, missing, storedTwice } = result
  return (
    `${kills} kills, ${brokerRestarts} broker restarts, ${accepted} commands accepted, ${published} messages published, ` +
    `${stored} stored, ${repeatedAtQos1} repeated at QoS 1: ${lost} lost, ${duplicated} duplicated at QoS 2, ` +
    `${unsettled} unsettled, ${missing} missing in the log, ${storedTwice} stored twice`
  )
}

/** Load and murder until the time is up. @returns how many were killed */
async function chaos(
  options: BridgeTortureOptions,
  scene: Scene,
  parts: readonly Part[],
  broker: BrokerProcess,
  queue: TortureQueue,
): Promise<number> {
  const { seconds, killEveryMs, commandsPerSecond, messagesPerSecond, progress } = options
  const until = performance.now() + seconds * 1000
  const load = [scene.command(commandsPerSecond, until), scene.publish(messagesPerSecond, until)]
  const restarts = [
    spread(options.brokerRestarts, seconds, async () => {
      await broker.kill()
      await broker.start()
    }),
    spread(options.queueRestarts ?? 0, seconds, () => queue.restart()),
  ]
  let kills = 0
  while (performance.now() + killEveryMs < until) {
    await pause(killEveryMs)
    parts[Math.floor(Math.random() * parts.length)]?.kill()
    kills++
    if (kills % 5 === 0) progress?.(`${kills} kills, ${scene.progress()}`)
  }
  await Promise.all([...load, ...restarts])
  return kills
}

/** A queue that was killed may not be connected to again yet. */
function answers(engine: Engine): Promise<boolean> {
  return engine.check().then(
    () => true,
    () => false,
  )
}

/** Does something as often, with the same time before, between and behind. */
async function spread(times: number, seconds: number, act: () => Promise<void>): Promise<void> {
  for (let i = 0; i < times; i++) {
    await pause((seconds * 1000) / (times + 1))
    await act()
  }
}

/** A client that is back soon after the broker is. */
function quickClient(url: string): Promise<MqttClient> {
  return connect(url, { reconnect: { minimumDelayMs: 50, maximumDelayMs: 500 } })
}
