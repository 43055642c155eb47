import type { AuthenticationResult, ConnectRequest } from './authenticate.ts'

/** A way to authenticate that takes more than one packet, chosen by the client with Authentication Method.
 *  @see MQTT 5.0, 4.12 */
export interface Authenticator {
  /** As clients name it, such as `SCRAM-SHA-256`. */
  readonly method: string
  /** Begins an exchange: for a CONNECT, or for a client that is connected and proves again who it is. */
  begin(request: AuthenticationRequest): AuthenticationExchange
}

/** Who wants to authenticate, and whether it is connected already. */
export interface AuthenticationRequest extends Omit<ConnectRequest, 'packet'> {
  readonly reauthentication: boolean
}

/** One exchange, from its first data to its end. */
export interface AuthenticationExchange {
  /** Takes the client's data, and answers with data for the client, or with what came of it all.
   *  @param data undefined when the packet had none */
  step(data: Uint8Array | undefined): AuthenticationStep | Promise<AuthenticationStep>
}

export type AuthenticationStep =
  | { readonly challenge: Uint8Array }
  /** 0 lets the client in; data for it goes with CONNACK, or with the last AUTH. */
  | AuthenticationResult
