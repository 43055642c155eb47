import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker } from '@pipit/broker'
import { connect } from '@pipit/client'
import { type DeviceClientOptions, SimulatedBroker } from '@pipit/device'
import { program } from '../tools/interop.ts'

/** Where a device runs, and somebody else who talks to it. */
export interface Mode {
  readonly where: Partial<DeviceClientOptions>
  /** Publishes as somebody else; settles when the broker has it. */
  tell(topic: string, payload: string, retain?: boolean): Promise<void>
  /** The retained message of a topic, or the next one while there is none. */
  retained(topic: string): Promise<string>
  /** Goes away, as a broker that is stopped. */
  stop(): Promise<void>
  end(): Promise<void>
}

/** The three places where the same device code has to do the same. */
export const MODES: readonly { name: string; skipped: boolean; start: () => Promise<Mode> }[] = [
  { name: 'our broker', skipped: false, start: ourBroker },
  { name: "Debian's Mosquitto", skipped: program('mosquitto') === undefined, start: mosquitto },
  { name: 'simulation', skipped: false, start: simulation },
]

async function ourBroker(): Promise<Mode> {
  const broker = new Broker()
  const { port } = await broker.listen({ port: 0, host: '127.0.0.1' })
  return network(port, () => broker.close())
}

async function mosquitto(): Promise<Mode> {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-device-'))
  const port = await freePort()
  const file = join(folder, 'mosquitto.conf')
  writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\n`)
  const child = spawn(program('mosquitto') ?? 'mosquitto', ['-v', '-c', file])
  await running(child)
  return network(port, async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'close')
      child.kill()
      await ended
    }
    rmSync(folder, { recursive: true, force: true })
  })
}

async function simulation(): Promise<Mode> {
  const broker = new SimulatedBroker()
  return {
    where: { simulate: true, simulatedBroker: broker, print: () => {} },
    tell: async (topic, payload, retain = false) => broker.publish(topic, payload, { retain }),
    retained: async (topic) => broker.retained(topic)?.text() ?? 'nothing is retained',
    stop: async () => broker.stop(),
    end: async () => {},
  }
}

async function network(port: number, stop: () => Promise<void>): Promise<Mode> {
  const url = `mqtt://127.0.0.1:${port}`
  const other = await connect(url, { reconnect: false })
  const end = async (): Promise<void> => {
    await other.close()
    await stop()
  }
  return {
    where: { server: '127.0.0.1', port },
    async tell(topic, payload, retain = false) {
      await other.publish(topic, payload, { qos: 1, retain })
    },
    async retained(topic) {
      const reader = await connect(url, { reconnect: false })
      const kept = new Promise<string>((resolve) => reader.onMessage((message) => resolve(message.text())))
      await reader.subscribe(topic)
      const text = await kept
      await reader.close()
      return text
    },
    stop: end,
    end,
  }
}

/** Waits until Mosquitto says that it runs. */
function running(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr?.on('data', (bytes) => {
      said += bytes
      if (/mosquitto version .* running/.test(said)) resolve()
    })
    child.once('error', reject)
    child.once('exit', () => reject(new Error(`mosquitto ended: ${said}`)))
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
