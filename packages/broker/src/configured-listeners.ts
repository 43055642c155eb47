import type { Broker } from './broker.ts'
import type { ListenerConfiguration } from './config/configuration.ts'
import type { Listener } from './listeners/stream.ts'

/** Kinds that are said with the address. */
const SCHEMES: readonly string[] = ['ws', 'wss', 'tls']

/** The listeners that a configuration names, kept as it says when it is read again. */
export class ConfiguredListeners {
  private readonly broker: Broker
  /** By the configuration that made them, as JSON: two that are alike are one. */
  private readonly open = new Map<string, Listener>()

  constructor(broker: Broker) {
    this.broker = broker
  }

  /** Where clients come in, for people. */
  get addresses(): string[] {
    return [...this.open.values()].map(({ address, kind }) =>
      SCHEMES.includes(kind) ? `${kind}://${address}` : address,
    )
  }

  /** Closes what is no longer named, with its connections kept, and opens what is new.
   *  @throws Error naming the address and what to do; listeners before it are open, those behind it are not */
  async apply(wanted: readonly ListenerConfiguration[]): Promise<void> {
    const keys = new Map(wanted.map((each) => [JSON.stringify(each), each]))
    for (const [key, listener] of this.open) {
      if (keys.has(key)) continue
      this.open.delete(key)
      await listener.close()
    }
    for (const [key, configuration] of keys) {
      if (!this.open.has(key)) this.open.set(key, await this.listen(configuration))
    }
  }

  private listen({ type, ...options }: ListenerConfiguration): Promise<Listener> {
    return type === 'websocket' ? this.broker.listenWebSocket(options) : this.broker.listen(options)
  }
}
