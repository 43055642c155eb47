import { MqttError } from '@pipit/protocol'

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

/** Enhanced authentication failed on our side: the server's proof is wrong, or there is none. */
export class AuthenticationError extends MqttError {
  constructor(message: string, cause?: unknown) {
    super('AUTHENTICATION_FAILED', message, { cause, reasonCode: 0x87 })
  }
}
