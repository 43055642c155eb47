import { type Packet, ProtocolError } from '@pipit/protocol'
import type { Connection } from '../connection.ts'
import type { Session } from '../sessions/session.ts'
import { handlePuback, handlePubcomp, handlePubrec, handlePubrel } from './acknowledgements.ts'
import { handleAuth } from './auth.ts'
import { handleConnect } from './connect.ts'
import { handleDisconnect } from './disconnect.ts'
import { handleSubscribe } from './subscribe.ts'
import { handleUnsubscribe } from './unsubscribe.ts'

/** Hands a decoded packet to its handler. PUBLISH of a connected client never comes here: it is not decoded. */
export function handlePacket(connection: Connection, packet: Packet): void {
  if (packet.type === 'CONNECT') return handleConnect(connection, packet)
  if (packet.type === 'AUTH') return handleAuth(connection, packet)
  const { session } = connection
  // A client may give up while it authenticates.
  if (session === undefined && packet.type === 'DISCONNECT' && connection.authentication !== undefined) {
    return connection.leave()
  }
  if (session === undefined) throw new ProtocolError(`${packet.type} before CONNECT [MQTT-3.1.0-1]`)
  return handleConnected(connection, session, packet)
}

function handleConnected(connection: Connection, session: Session, packet: Packet): void {
  switch (packet.type) {
    case 'PUBACK':
      return handlePuback(connection, session, packet)
    case 'PUBREC':
      return handlePubrec(connection, session, packet)
    case 'PUBREL':
      return handlePubrel(connection, session, packet)
    case 'PUBCOMP':
      return handlePubcomp(connection, session, packet)
    case 'SUBSCRIBE':
      return handleSubscribe(connection, session, packet)
    case 'UNSUBSCRIBE':
      return handleUnsubscribe(connection, session, packet)
    case 'PINGREQ':
      return void connection.send({ type: 'PINGRESP' })
    case 'DISCONNECT':
      return handleDisconnect(connection, packet)
    default:
      throw new ProtocolError(`${packet.type} is no packet of a client`)
  }
}
