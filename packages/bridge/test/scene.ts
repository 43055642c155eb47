import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Command, type Engine, type NewCommand, SqliteEngine } from '@pipit/bridge'
import { onTestFinished } from 'vitest'
import { BrokerProcess, freePort } from '../../../tools/torture/brokers.ts'

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-bridge-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function newEngine(folder: string = newFolder()): SqliteEngine {
  const engine = new SqliteEngine({ path: join(folder, 'bridge.db') })
  onTestFinished(() => engine.close())
  return engine
}

/** A broker of its own process, with what it keeps. */
export async function newBroker(): Promise<{ url: string; process: BrokerProcess }> {
  const port = await freePort()
  const broker = BrokerProcess.pipit(port, join(newFolder(), 'data'))
  await broker.start()
  onTestFinished(() => broker.kill())
  return { url: `mqtt://127.0.0.1:${port}`, process: broker }
}

/** Settles when `check` gives something; asked again and again, as long as the test has time. */
export async function until<T>(
  check: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  for (;;) {
    const found = await check()
    if (found !== undefined && found !== false) return found
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export function command(fields: Partial<NewCommand> = {}): NewCommand {
  const now = Date.now()
  const base = { id: randomUUID(), topic: 'a/b', payload: Buffer.from('x'), qos: 1, retain: false } as const
  return { ...base, notBefore: now, owner: 'someone', createdAt: now, ...fields }
}

/** Settles when a command is over. */
export function over(engine: Engine, id: string): Promise<Command> {
  return until(async () => {
    const found = await engine.commands.find(id, Date.now())
    return found !== undefined && !['queued', 'sent'].includes(found.state) && found
  })
}

/** A holder of a listener's session, to put messages into the log as if they had come from a broker. */
export async function newLog(engine: Engine): Promise<(topic: string, payload: string) => Promise<void>> {
  const lease = await engine.sessions.acquire('listener', { owner: 'test', now: Date.now(), leaseMs: 1e9 })
  if (lease === undefined) throw new Error('no session was to be had')
  return async (topic, payload) => {
    const message = { topic, payload: Buffer.from(payload), qos: 1, retain: false } as const
    await engine.messages.append(lease, [{ ...message, receivedAt: Date.now() }], [])
  }
}
