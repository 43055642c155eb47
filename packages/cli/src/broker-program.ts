import {
  Broker,
  type BrokerOptions,
  type Configuration,
  ConfiguredListeners,
  type Logger,
  type ProgramConfiguration,
} from '@pipit/broker'
import type { Link } from '@pipit/links'
import { CommandError } from './faults.ts'
import { LineLog } from './line-log.ts'
import { becomeUser, writePidFile } from './process-identity.ts'

/** What runs around a broker, as the configuration says: its log, its links to other brokers, and who the process is. */
export class BrokerProgram {
  readonly logger: Logger
  private readonly lines: LineLog | undefined
  private readonly configuration: ProgramConfiguration
  private links: readonly Link[] = []

  /** @param said the logger that the command line asks for; undefined: it does not
   *  @param fallback the logger when nobody says anything
   *  @throws CommandError when the log file cannot be opened */
  constructor(configuration: ProgramConfiguration, said: Logger | undefined, fallback: () => Logger) {
    const { log } = configuration
    this.configuration = configuration
    this.lines = log === undefined || said !== undefined ? undefined : new LineLog(log)
    this.logger = said ?? this.lines ?? fallback()
  }

  /** The broker's options, without what is not to be kept. */
  optionsFor<O extends BrokerOptions>(options: O): BrokerOptions {
    const { data: _, ...others } = options
    return this.configuration.persistence ? options : others
  }

  /** Opens the broker, and lets its links in before anybody else.
   *  @throws CommandError for links that cannot be; as `broker.open` */
  async open(broker: Broker): Promise<void> {
    if (this.lines !== undefined) this.lines.broker = broker
    const { links } = this.configuration
    // Loaded for who has links: others start faster.
    const module = links.length === 0 ? undefined : await import('./broker-links.ts')
    const wanted = module?.checkedLinks(links)
    await broker.open()
    broker.audit?.administered('start', { pid: process.pid })
    this.links = (await module?.startLinks(wanted ?? [], broker, this.logger, broker.options.data)) ?? []
  }

  /** The listeners are open: what needs more rights than a broker should have is done. */
  settle(broker: Broker): void {
    const { pidFile, user } = this.configuration
    const { data } = broker.options
    if (pidFile !== undefined) writePidFile(pidFile)
    if (user !== undefined) becomeUser(user, data === undefined ? [] : [data])
  }

  /** Takes what a new reading of the configuration says of the log, and opens its file again. */
  reconfigure({ log }: ProgramConfiguration): void {
    if (log !== undefined) this.lines?.configure(log)
  }

  /** Ends the links, then the broker, then the log. */
  async close(broker: Broker): Promise<void> {
    await Promise.all(this.links.map((link) => link.close()))
    broker.audit?.administered('stop', { pid: process.pid })
    await broker.close()
    await this.lines?.close()
  }
}

/** Checks what a configuration says, and the files that it names, without letting anybody in.
 *  @throws CommandError, Error with what is wrong */
export async function testConfiguration(configuration: Configuration, options: BrokerOptions): Promise<void> {
  const { links } = configuration.program
  if (links.length > 0) (await import('./broker-links.ts')).checkedLinks(links)
  const { data: _, audit: __, logger: ___, ...rest } = options
  const faults: string[] = []
  const broker = new Broker({ ...rest, sysInterval: 0, logger: faultsOnly(faults) })
  try {
    await broker.open()
    // Another broker may have the ports: any will do to read certificates and keys.
    const places = (configuration.listeners ?? []).filter(({ type }) => type !== 'unix')
    await new ConfiguredListeners(broker).apply(places.map((each) => ({ ...each, port: 0 })))
  } finally {
    await broker.close()
  }
  if (faults.length > 0) throw new CommandError(faults.join('\npipit broker: '))
}

function faultsOnly(faults: string[]): Logger {
  const take = (_: object, message: string): void => void faults.push(message)
  return { info: () => undefined, warn: take, error: take }
}
