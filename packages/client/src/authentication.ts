import { type Auth, type AuthProperties, type ConnectProperties, ProtocolError } from '@pipit/protocol'
import { AuthenticationError, type Authenticator } from './authenticator.ts'
import { ConnectionLostError, NotSupportedError } from './errors.ts'
import type { Link } from './link.ts'
import { Operation } from './operation.ts'

const NOTHING = new Uint8Array(0)

/** The exchanges of enhanced authentication: with CONNECT, and again on a live connection.
 *  @see MQTT 5.0, 4.12 */
export class Authentication {
  private readonly authenticator: Authenticator
  private exchange: Operation<void> | undefined = undefined

  constructor(authenticator: Authenticator) {
    this.authenticator = authenticator
  }

  /** The properties that begin an exchange. @throws AuthenticationError */
  async first(): Promise<AuthProperties & ConnectProperties> {
    return this.propertiesOf(await attempt(() => this.authenticator.start()))
  }

  /** The answer to AUTH with 0x18. @throws ProtocolError, AuthenticationError */
  async answer(packet: Auth): Promise<Auth> {
    this.checkMethod(packet.properties)
    const data = await attempt(() =>
      this.authenticator.continue(packet.properties?.authenticationData ?? NOTHING),
    )
    return { type: 'AUTH', reasonCode: 0x18, properties: this.propertiesOf(data) }
  }

  /** The server accepts. @throws AuthenticationError when the method does not accept the server */
  async finish(properties: AuthProperties | undefined): Promise<void> {
    this.checkMethod(properties)
    await attempt(() => this.authenticator.finish?.(properties?.authenticationData))
  }

  /** Begins a re-authentication. @throws NotSupportedError, ConnectionLostError */
  again(link: Link | undefined): Operation<void> {
    if (link === undefined) throw new ConnectionLostError('there is no connection')
    if (link.version < 5) throw new NotSupportedError('re-authentication needs MQTT 5.0')
    if (this.exchange !== undefined) throw new NotSupportedError('a re-authentication is under way')
    const exchange = new Operation<void>()
    this.exchange = exchange
    this.begin(link).catch((error: unknown) => link.transport.interrupt(error))
    return exchange
  }

  /** Takes AUTH on a live connection. @throws ProtocolError when nothing is under way */
  take(packet: Auth, link: Link): void {
    const { exchange } = this
    if (exchange === undefined) throw new ProtocolError('AUTH although no authentication is under way')
    this.step(packet, link, exchange).catch((error: unknown) => link.transport.interrupt(error))
  }

  /** The connection has ended. */
  fail(error: unknown): void {
    this.exchange?.fail(error)
    this.exchange = undefined
  }

  private async begin(link: Link): Promise<void> {
    link.send({ type: 'AUTH', reasonCode: 0x19, properties: await this.first() })
  }

  private async step(packet: Auth, link: Link, exchange: Operation<void>): Promise<void> {
    if (packet.reasonCode === 0x18) link.send(await this.answer(packet))
    else {
      if (packet.reasonCode !== 0) throw new ProtocolError('AUTH with 0x19 from the server')
      await this.finish(packet.properties)
      exchange.succeed()
      if (this.exchange === exchange) this.exchange = undefined
    }
  }

  private checkMethod(properties: AuthProperties | undefined): void {
    const method = properties?.authenticationMethod
    const ours = this.authenticator.method
    if (method !== ours) {
      throw new ProtocolError(`Authentication Method ${method}; it was ${ours} [MQTT-4.12.0-5]`)
    }
  }

  private propertiesOf(authenticationData: Uint8Array | undefined): AuthProperties {
    return { authenticationMethod: this.authenticator.method, authenticationData }
  }
}

async function attempt<T>(step: () => T | Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw error instanceof AuthenticationError ? error : new AuthenticationError(text, error)
  }
}
