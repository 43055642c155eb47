import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Broker, ConfiguredListeners, configurationOf, fromMosquitto, settingsFromYaml } from '@pipit/broker'
import { stringify } from 'yaml'

// Debian keeps it where a user's PATH does not look.
const program = ['mosquitto', '/usr/sbin/mosquitto'].find(
  (path) => spawnSync(path, ['-h']).error === undefined,
)

/** What tests beside Debian's broker are called: where it is not installed, ours is asked alone. */
export const beside =
  program === undefined ? 'ours alone: mosquitto is not installed (apt-get install mosquitto)' : 'installed'

/** One of two brokers that were started with the same file. */
export interface Twin {
  readonly name: 'ours' | 'theirs'
  /** In the order in which the file has them. */
  readonly ports: readonly number[]
}

/** Our broker and Debian's Mosquitto, each started with the same mosquitto.conf. */
export class Twins {
  private readonly folder = mkdtempSync(join(tmpdir(), 'pipit-twins-'))
  private readonly brokers: Broker[] = []
  private readonly children: ChildProcess[] = []

  /** A file that a configuration may name as `FOLDER/name`. */
  write(name: string, text: string): void {
    writeFileSync(this.path(name), text)
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  /** Our broker that was started last. */
  get ours(): Broker | undefined {
    return this.brokers.at(-1)
  }

  /** Starts both, or, where there is no Mosquitto, ours alone.
   *  @param conf with `PORT` for each port and `FOLDER` for a folder */
  async start(conf: string): Promise<readonly Twin[]> {
    const ours = await this.startOurs(conf)
    return program === undefined ? [ours] : [ours, await this.startTheirs(conf)]
  }

  async startOurs(conf: string): Promise<Twin> {
    const { text, ports } = await this.filledIn(conf)
    const { broker, listeners } = openOurs(text)
    this.brokers.push(broker)
    await listeners()
    return { name: 'ours', ports }
  }

  private async startTheirs(conf: string): Promise<Twin> {
    const { text, ports } = await this.filledIn(conf)
    const file = join(this.folder, `${ports[0]}.conf`)
    writeFileSync(file, `${text}user root\n`)
    const child = spawn(program ?? 'mosquitto', ['-v', '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.children.push(child)
    await said(child, /mosquitto version .* running/)
    return { name: 'theirs', ports }
  }

  private async filledIn(conf: string): Promise<{ text: string; ports: number[] }> {
    const ports: number[] = []
    let text = conf.replaceAll('FOLDER', this.folder)
    while (text.includes('PORT')) {
      const port = await freePort()
      ports.push(port)
      text = text.replace('PORT', String(port))
    }
    return { text, ports }
  }

  /** Has both read their files again. */
  async reload(): Promise<void> {
    for (const broker of this.brokers) await broker.reload()
    for (const child of this.children) {
      child.kill('SIGHUP')
      await said(child, /Reloading config/)
    }
  }

  async stopOurs(): Promise<void> {
    await Promise.all(this.brokers.splice(0).map((broker) => broker.close()))
  }

  async end(): Promise<void> {
    await this.stopOurs()
    for (const child of this.children.splice(0)) {
      if (child.exitCode !== null) continue
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    }
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** As the command does it: Mosquitto's words, then YAML, then the broker. */
function openOurs(text: string): { broker: Broker; listeners: () => Promise<void> } {
  const host = { hostname: 'here', ipv6: true, addressesOf: () => [] }
  const { document, unsupported } = fromMosquitto({ name: 'mosquitto.conf', text }, () => [], host)
  if (unsupported.length > 0) throw new Error(unsupported.join('\n'))
  const { options, listeners, program: around } = configurationOf(settingsFromYaml(stringify(document), 'y'))
  const { data, ...rest } = options
  const broker = new Broker({
    ...rest,
    sysInterval: 0,
    ...(around.persistence && data !== undefined && { data }),
  })
  return { broker, listeners: () => new ConfiguredListeners(broker).apply(listeners ?? []) }
}

/** Settles when a process says something from now on. */
function said(child: ChildProcess, pattern: RegExp): Promise<void> {
  let text = ''
  const { stderr } = child
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer): void => {
      text += chunk.toString()
      if (!pattern.test(text)) return
      stderr?.off('data', take)
      stderr?.resume()
      resolve()
    }
    stderr?.on('data', take)
    child.once('exit', () => reject(new Error(`mosquitto ended: ${text}`)))
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
