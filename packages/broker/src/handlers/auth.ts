import { type Auth, type Connect, ProtocolError } from '@pipit/protocol'
import type { AuthenticationResult } from '../auth/authenticate.ts'
import type { AuthenticationExchange, AuthenticationStep } from '../auth/authenticator.ts'
import type { Connection } from '../connection.ts'

/** An enhanced authentication under way, and what follows it. */
export interface Authentication {
  readonly exchange: AuthenticationExchange
  readonly done: (result: AuthenticationResult) => void
}

/** Begins the authentication that CONNECT asks for, in several packets.
 *  @returns false when there is no such method: CONNACK 0x8C
 *  @see MQTT 5.0, 4.12 */
export function beginAuthentication(
  connection: Connection,
  packet: Connect,
  done: (result: AuthenticationResult) => void,
): boolean {
  const { authenticationMethod: method, authenticationData } = packet.properties ?? {}
  const authenticator = connection.broker.authenticator(method ?? '')
  if (authenticator === undefined) return false
  const refusal = connection.stream.tls?.refusal ?? connection.access?.refusalOf(packet.clientId)
  if (refusal !== undefined) {
    done({ reasonCode: 0x87, reasonString: refusal })
    return true
  }
  const { clientId, username, password } = packet
  const { remoteAddress } = connection.stream
  connection.authenticationMethod = method
  const request = { clientId, username, password, remoteAddress, reauthentication: false }
  const concluded = (result: AuthenticationResult): void =>
    done(connection.broker.door.concluded(connection, result))
  begin(connection, () => authenticator.begin(request), authenticationData, concluded)
  return true
}

/** @see MQTT 5.0, 3.15 and 4.12 */
export function handleAuth(connection: Connection, packet: Auth): void {
  const method = connection.authenticationMethod
  const { authenticationMethod, authenticationData } = packet.properties ?? {}
  if (method === undefined) {
    throw new ProtocolError('AUTH without Authentication Method in CONNECT [MQTT-4.12.0-7]')
  }
  if (authenticationMethod !== method) {
    const why = `AUTH: the Authentication Method is not that of CONNECT, ${method} [MQTT-4.12.0-5]`
    return outOfPlace(connection, why)
  }
  const { authentication } = connection
  if (packet.reasonCode === 0x18 && authentication !== undefined) {
    return advance(connection, authentication, authenticationData)
  }
  if (packet.reasonCode === 0x19 && authentication === undefined && connection.session !== undefined) {
    return reauthenticate(connection, method, authenticationData)
  }
  outOfPlace(connection, `AUTH 0x${packet.reasonCode.toString(16)} is not what can come now`)
}

/** An AUTH that may not come: while CONNECT is not answered, CONNACK says so; later, DISCONNECT. */
function outOfPlace(connection: Connection, why: string): void {
  const { authentication } = connection
  if (connection.session !== undefined || authentication === undefined) throw new ProtocolError(why)
  connection.authentication = undefined
  authentication.done({ reasonCode: 0x82, reasonString: why })
}

/** A client that is connected proves again who it is; meanwhile everything goes on.
 *  @see MQTT 5.0, 4.12.1 */
function reauthenticate(connection: Connection, method: string, data: Uint8Array | undefined): void {
  const { broker, stream, session } = connection
  const authenticator = broker.authenticator(method)
  if (authenticator === undefined || session === undefined)
    throw new ProtocolError(`no method ${method}`, 0x8c)
  const { clientId, username } = session
  const request = {
    clientId,
    username,
    password: undefined,
    remoteAddress: stream.remoteAddress,
    reauthentication: true,
  }
  begin(
    connection,
    () => authenticator.begin(request),
    data,
    (outcome) => {
      const result = broker.door.concluded(connection, outcome)
      if (result.reasonCode !== 0) {
        // DISCONNECT has no code for a bad password.
        return connection.disconnect(
          result.reasonCode === 0x86 ? 0x87 : result.reasonCode,
          result.reasonString,
        )
      }
      session.username = result.username ?? session.username
      connection.validUntil = result.validUntil ?? Number.POSITIVE_INFINITY
      const subject = { clientId, username: session.username }
      broker.door.admit(connection, session, broker.door.rightsFor(connection, subject, result.acl))
      broker.router.changed()
      connection.forgetPermissions()
      sendAuth(connection, 0, result.authenticationData)
    },
  )
}

function begin(
  connection: Connection,
  exchange: () => AuthenticationExchange,
  data: Uint8Array | undefined,
  done: (result: AuthenticationResult) => void,
): void {
  try {
    connection.authentication = { exchange: exchange(), done }
  } catch (error) {
    return done(failed(connection, error))
  }
  advance(connection, connection.authentication, data)
}

function advance(connection: Connection, authentication: Authentication, data: Uint8Array | undefined): void {
  let step: AuthenticationStep | Promise<AuthenticationStep>
  try {
    step = authentication.exchange.step(data)
  } catch (error) {
    step = failed(connection, error)
  }
  if (!(step instanceof Promise)) return take(connection, authentication, step)
  const taken = step.catch((error: unknown) => failed(connection, error))
  connection.suspend(taken.then((answer) => take(connection, authentication, answer)))
}

function take(connection: Connection, authentication: Authentication, step: AuthenticationStep): void {
  if (connection.closed) return
  if ('challenge' in step) return sendAuth(connection, 0x18, step.challenge)
  connection.authentication = undefined
  authentication.done(step)
}

function failed(connection: Connection, error: unknown): AuthenticationResult {
  connection.broker.logger.error({ err: error, hook: 'authenticator' }, 'hook failed')
  return { reasonCode: 0x80 }
}

function sendAuth(connection: Connection, reasonCode: 0 | 0x18, data: Uint8Array | undefined): void {
  const { authenticationMethod } = connection
  connection.send({
    type: 'AUTH',
    reasonCode,
    properties: { authenticationMethod, ...(data !== undefined && { authenticationData: data }) },
  })
}
