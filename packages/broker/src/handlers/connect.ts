import { randomBytes } from 'node:crypto'
import {
  type ConnackProperties,
  type Connect,
  InboundAliases,
  OutboundAliases,
  ProtocolError,
  type ReasonCode,
  returnCodeFor,
} from '@pipit/protocol'
import type { AuthenticationResult } from '../auth/authenticate.ts'
import type { Rights } from '../auth/rights.ts'
import type { Connection } from '../connection.ts'
import { isPromise } from '../hooks.ts'
import { NEVER_EXPIRES, type Session } from '../sessions/session.ts'
import { beginAuthentication } from './auth.ts'

/** @see MQTT 5.0, 3.1.4 */
export function handleConnect(connection: Connection, said: Connect): void {
  if (connection.session !== undefined || connection.connecting) {
    throw new ProtocolError('a second CONNECT [MQTT-3.1.0-2]')
  }
  const { broker, mount } = connection
  const packet = mount === undefined ? said : mount.connect(said)
  connection.connecting = true
  connection.claimedId = packet.clientId
  connection.claimedUser = packet.username
  connection.isBridge = packet.bridge === true
  broker.counters.connects++
  connection.protocolVersion = packet.protocolVersion
  connection.wireVersion = packet.protocolVersion === 5 ? 5 : 4
  connection.maximumPacketSize = packet.properties?.maximumPacketSize ?? 268435460
  connection.requestProblemInformation = packet.properties?.requestProblemInformation !== 0
  const fault = faultOf(connection, packet)
  if (fault !== 0) return refuse(connection, fault)
  if (packet.properties?.authenticationMethod !== undefined) {
    const begun = beginAuthentication(connection, packet, (result) => decide(connection, packet, result))
    return begun ? undefined : refuse(connection, 0x8c)
  }
  const result = broker.authenticate(connection, packet)
  if (!(result instanceof Promise)) return decide(connection, packet, result)
  connection.suspend(result.then((outcome) => decide(connection, packet, outcome)))
}

function decide(connection: Connection, packet: Connect, result: AuthenticationResult): void {
  if (connection.closed) return
  if (result.reasonCode !== 0) return refuse(connection, result.reasonCode, result.reasonString)
  const username = result.username ?? packet.username
  const clientId = clientIdOf(connection, packet, username)
  if (clientId === undefined) return refuse(connection, 0x87, 'it says no user name')
  const newcomer = {
    clientId,
    result,
    rights: connection.broker.door.rightsFor(connection, { clientId, username }, result.acl),
  }
  const client = { ...connection.hookClient, clientId, username }
  const { hooks } = connection.broker
  const letIn = (mayHaveWill: boolean): Promise<void> | undefined => {
    if (connection.closed) return undefined
    if (!mayHaveWill) return void refuse(connection, 0x87, 'not authorised to publish its will')
    return hooks.connect(client, packet, (refusal) => {
      if (connection.closed) return
      if (refusal !== undefined) refuse(connection, refusal.reasonCode, refusal.reasonString)
      else accept(connection, packet, newcomer)
    })
  }
  const { will } = packet
  const { permissions, decidesPublishing } = connection.broker
  const isOpen = !decidesPublishing && newcomer.rights === undefined
  const asked = will === undefined || isOpen || permissions.allowPublish(newcomer.rights, client, will.topic)
  const work = isPromise(asked) ? asked.then(letIn) : letIn(asked)
  if (work !== undefined) connection.suspend(work)
}

/** Who the client is from now on; undefined: it has no user name to be called by. */
function clientIdOf(
  connection: Connection,
  packet: Connect,
  username: string | undefined,
): string | undefined {
  const { rules, broker } = connection
  if (rules.usernameAsClientId === true) return username
  if (packet.clientId !== '') return packet.clientId
  const prefix = rules.assignedClientIdPrefix ?? broker.options.assignedClientIdPrefix ?? 'auto-'
  return `${prefix}${randomBytes(12).toString('hex')}`
}

/** A client that may come in. */
interface Newcomer {
  readonly clientId: string
  readonly result: AuthenticationResult
  readonly rights: Rights | undefined
}

function faultOf(connection: Connection, packet: Connect): ReasonCode {
  const { broker } = connection
  const { clientId, will, protocolVersion } = packet
  if (clientId.length === 0) {
    // 3.1 wants 1 to 23 characters; in 3.1.1 an empty one needs Clean Session [MQTT-3.1.3-8].
    if (protocolVersion === 3 || (protocolVersion === 4 && !packet.cleanStart)) return 0x85
    if ((connection.rules.emptyClientId ?? broker.options.emptyClientId) === false) return 0x85
  }
  if (Buffer.byteLength(clientId) > broker.limits.clientIdLength) return 0x85
  if (will !== undefined) {
    if (will.qos > connection.maximumQoS) return 0x9b
    if (will.retain && broker.options.retainAvailable === false) return 0x9a
  }
  if (broker.journal?.failing !== undefined && wantedExpiry(packet) > 0) {
    const known = packet.cleanStart ? undefined : broker.sessions.get(clientId)
    if (known === undefined || known.storeId === 0) return 0x97 // no new session can be kept now
  }
  return broker.refusesConnection(clientId)
}

/** Sends the refusing CONNACK, where the version has one for it, and closes.
 *  @see MQTT 5.0, 3.2.2.2 */
export function refuse(connection: Connection, reasonCode: ReasonCode, reasonString?: string): void {
  const { broker } = connection
  broker.refused(connection, reasonCode, reasonString)
  if (connection.protocolVersion === 5) {
    const wanted = reasonString !== undefined && broker.options.reasonStrings === true
    connection.send({
      type: 'CONNACK',
      sessionPresent: false,
      reasonCode,
      properties: wanted ? { reasonString } : undefined,
    })
  } else {
    const returnCode = returnCodeFor(reasonCode)
    if (returnCode !== undefined)
      connection.send({ type: 'CONNACK', sessionPresent: false, reasonCode: returnCode })
  }
  connection.finish(`refused (0x${reasonCode.toString(16)})`)
}

function accept(connection: Connection, packet: Connect, { clientId, result, rights }: Newcomer): void {
  const { broker } = connection
  // Files may have been read again while hooks were asked.
  if (!broker.door.stillKnows(connection)) return refuse(connection, 0x87, 'its password is no longer valid')
  const user = result.username ?? packet.username
  const refusal = broker.admission.identify(user)
  if (refusal !== 0) return refuse(connection, refusal)
  connection.countedUser = user
  const wanted = wantedExpiry(packet)
  const expiryInterval = Math.min(wanted, broker.limits.sessionExpiryInterval)
  const { session, sessionPresent } = broker.sessions.open(clientId, packet.cleanStart, expiryInterval)
  session.username = user
  broker.door.admit(connection, session, rights)
  broker.announceWill(connection, session, packet.will)
  const { journal } = broker
  const attachNow = (): void => attach(connection, packet, result, session, sessionPresent)
  // A session that is to last is on disk, with the will, before CONNACK says that it exists.
  if (session.storeId === 0 || journal === undefined || !journal.mustWait) return attachNow()
  // While the disk fails, one that exists goes on; a new one is refused.
  if (sessionPresent && journal.failing !== undefined) return attachNow()
  const refused = (): void => (sessionPresent ? attachNow() : undo(connection, session))
  connection.suspend(
    new Promise<() => void>((resolve) => {
      journal.whenCommitted(
        () => resolve(attachNow),
        () => resolve(refused),
      )
    }).then((settle) => settle()),
  )
}

/** The session cannot be kept: there is none. */
function undo(connection: Connection, session: Session): void {
  const { sessions, wills } = connection.broker
  wills.withdraw(connection, session)
  if (sessions.get(session.clientId) === session && !session.online) sessions.end(session)
  if (!connection.closed) refuse(connection, 0x97)
}

/** Joins connection and session, says so in CONNACK, and goes on with what was unacknowledged. */
function attach(
  connection: Connection,
  packet: Connect,
  result: AuthenticationResult,
  session: Session,
  sessionPresent: boolean,
): void {
  const { broker } = connection
  const { properties = {} } = packet
  if (connection.closed) {
    broker.wills.withdraw(connection, session)
    // It went while it waited: its session's time runs from now.
    if (broker.sessions.get(session.clientId) === session && !session.online) broker.sessions.release(session)
    return
  }
  // While this one waited for the disk, others may have come with the same identifier.
  const other = session.connection
  other?.disconnect(0x8e, 'session taken over')
  if (broker.sessions.get(session.clientId) !== session) {
    broker.wills.withdraw(connection, session)
    return refuse(connection, 0x89)
  }
  connection.session = session
  broker.door.limit(connection, session)
  connection.will = packet.will
  connection.authenticationMethod = properties.authenticationMethod
  connection.validUntil = result.validUntil ?? Number.POSITIVE_INFINITY
  const keepAlive = broker.keepAliveFor(packet.keepAlive)
  connection.keepAlive = keepAlive
  connection.frames.maximumPacketSize = broker.limits.maximumPacketSize
  connection.stream.admitted?.()
  if (packet.protocolVersion === 5) setAliases(connection, properties.topicAliasMaximum ?? 0)
  connection.arranged()
  session.inbound.connect(broker.limits.receiveMaximum)
  session.connect(connection, properties.receiveMaximum ?? 65535)
  // That the other one's time ran was recorded: it does not.
  if (other !== undefined) broker.journal?.session(session)
  if (session.subscriptions !== undefined) broker.router.changed()
  const said = connection.send({
    type: 'CONNACK',
    sessionPresent,
    reasonCode: 0,
    properties:
      packet.protocolVersion === 5
        ? connackProperties(connection, packet, session.clientId, wantedExpiry(packet), keepAlive, result)
        : undefined,
  })
  if (!said) {
    connection.will = undefined
    return connection.finish('CONNACK is larger than the client takes')
  }
  broker.connectionBegan(connection)
  session.pump(broker.now())
}

/** Seconds the client wants its session kept: Clean Session 0 of 3.x means for ever. */
function wantedExpiry(packet: Connect): number {
  if (packet.protocolVersion < 5) return packet.cleanStart ? 0 : NEVER_EXPIRES
  return packet.properties?.sessionExpiryInterval ?? 0
}

function setAliases(connection: Connection, theirs: number): void {
  const { limits } = connection.broker
  const ours = aliasesOf(connection)
  if (ours > 0) connection.aliases = new InboundAliases(ours)
  const out = Math.min(theirs, limits.topicAliasesOut)
  if (out > 0) connection.aliasesOut = new OutboundAliases(out)
}

/** Topic Aliases that a client may assign. */
function aliasesOf({ rules, broker }: Connection): number {
  return rules.topicAliasMaximum ?? broker.limits.topicAliasMaximum
}

/** Only what differs from the specification's defaults, or from what the client asked for. */
function connackProperties(
  connection: Connection,
  packet: Connect,
  clientId: string,
  wantedExpiry: number,
  keepAlive: number,
  result: AuthenticationResult,
): ConnackProperties {
  const { broker } = connection
  const { limits, options } = broker
  const aliases = aliasesOf(connection)
  const { maximumQoS } = connection
  const expiry = connection.session!.expiryInterval
  const wantsInformation = packet.properties?.requestResponseInformation === 1
  // In this order on the wire, the one that Mosquitto's users have seen.
  return {
    ...(expiry !== wantedExpiry && { sessionExpiryInterval: expiry }),
    ...(keepAlive !== packet.keepAlive && { serverKeepAlive: keepAlive }),
    ...(aliases > 0 && { topicAliasMaximum: aliases }),
    ...(packet.clientId === '' && { assignedClientIdentifier: clientId }),
    ...(connection.authenticationMethod !== undefined && {
      authenticationMethod: connection.authenticationMethod,
    }),
    ...(result.authenticationData !== undefined && { authenticationData: result.authenticationData }),
    ...(wantsInformation &&
      options.responseInformation !== undefined && { responseInformation: options.responseInformation }),
    ...(options.retainAvailable === false && { retainAvailable: 0 as const }),
    ...(limits.maximumPacketSize < 268435460 && { maximumPacketSize: limits.maximumPacketSize }),
    ...(limits.receiveMaximum < 65535 && { receiveMaximum: limits.receiveMaximum }),
    ...(maximumQoS < 2 && { maximumQoS: maximumQoS as 0 | 1 }),
  }
}
