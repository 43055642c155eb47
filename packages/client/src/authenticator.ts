import { type Auth, type AuthProperties, type ConnectProperties, ProtocolError } from '@pipit/protocol'
import { AuthenticationError } from './errors.ts'
import type { Link } from './link.ts'

type Awaitable<T> = T | Promise<T>

/** One method of enhanced authentication. `start` begins an exchange anew: at each connection,
 *  and at `client.reauthenticate()`.
 *  @see MQTT 5.0, 4.12 */
export interface Authenticator {
  /** Authentication Method, such as `SCRAM-SHA-256`. */
  readonly method: string
  /** The first Authentication Data; undefined: none. */
  start(): Awaitable<Uint8Array | undefined>
  /** Answers the server's data. @throws what is wrong with it; the connection ends then */
  continue(data: Uint8Array): Awaitable<Uint8Array | undefined>
  /** The server accepts; its last data, where it sent some. @throws when it has not proved itself */
  finish?(data: Uint8Array | undefined): Awaitable<void>
}

const NOTHING = new Uint8Array(0)

/** The properties that begin an exchange in CONNECT. */
export async function firstProperties(authenticator: Authenticator): Promise<ConnectProperties> {
  const authenticationData = await authenticator.start()
  return { authenticationMethod: authenticator.method, authenticationData }
}

/** The answer to AUTH with 0x18. @throws ProtocolError, AuthenticationError */
export async function nextAuth(authenticator: Authenticator, packet: Auth): Promise<Auth> {
  checkMethod(authenticator, packet.properties)
  const data = await attempt(() => authenticator.continue(packet.properties?.authenticationData ?? NOTHING))
  return { type: 'AUTH', reasonCode: 0x18, properties: propertiesOf(authenticator, data) }
}

/** The server accepts. @throws AuthenticationError when the method does not accept the server */
export async function finish(
  authenticator: Authenticator,
  properties: AuthProperties | undefined,
): Promise<void> {
  checkMethod(authenticator, properties)
  await attempt(() => authenticator.finish?.(properties?.authenticationData))
}

function checkMethod(authenticator: Authenticator, properties: AuthProperties | undefined): void {
  const method = properties?.authenticationMethod
  if (method !== authenticator.method) {
    throw new ProtocolError(`Authentication Method ${method}; it was ${authenticator.method} [MQTT-4.12.0-5]`)
  }
}

async function attempt<T>(step: () => Awaitable<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw error instanceof AuthenticationError ? error : new AuthenticationError(text, error)
  }
}

function propertiesOf(
  authenticator: Authenticator,
  authenticationData: Uint8Array | undefined,
): AuthProperties {
  return { authenticationMethod: authenticator.method, authenticationData }
}

/** One re-authentication on a live connection.
 *  @see MQTT 5.0, 4.12.1 */
export class Reauthentication {
  unwatch: (() => void) | undefined = undefined
  readonly promise: Promise<void>
  private readonly authenticator: Authenticator
  private readonly link: Link
  private resolve!: () => void
  private reject!: (error: unknown) => void

  constructor(authenticator: Authenticator, link: Link) {
    this.authenticator = authenticator
    this.link = link
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  async begin(): Promise<void> {
    const data = await attempt(() => this.authenticator.start())
    this.link.send({ type: 'AUTH', reasonCode: 0x19, properties: propertiesOf(this.authenticator, data) })
  }

  /** Takes AUTH; true when that was the last. @throws what ends the connection */
  async take(packet: Auth): Promise<boolean> {
    if (packet.reasonCode === 0x18) {
      this.link.send(await nextAuth(this.authenticator, packet))
      return false
    }
    if (packet.reasonCode !== 0) throw new ProtocolError('AUTH with 0x19 from the server')
    await finish(this.authenticator, packet.properties)
    this.unwatch?.()
    this.resolve()
    return true
  }

  fail(error: unknown): void {
    this.unwatch?.()
    this.reject(error)
  }
}
