import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  type Connect,
  matches,
  type PublishProperties,
  type QoS,
  Reader,
  type ReasonCode,
  type Will,
} from '@pipit/protocol'
import { Admission } from './admission.ts'
import { Audit, type AuditClient } from './audit/audit.ts'
import type { Access } from './auth/access.ts'
import type { AclAction, AclSubject } from './auth/acl.ts'
import type { AuthenticationResult } from './auth/authenticate.ts'
import type { Authenticator } from './auth/authenticator.ts'
import { Doorkeeper } from './auth/doorkeeper.ts'
import { Permissions } from './auth/permissions.ts'
import { BufferPool } from './buffer-pool.ts'
import { Connection } from './connection.ts'
import { HookRunner, isPromise } from './hooks.ts'
import { checkExposure } from './listeners/exposure.ts'
import { checkMountPoint, Mount } from './listeners/mount.ts'
import { type ListenerRules, NO_RULES } from './listeners/rules.ts'
import type { SocketListenOptions } from './listeners/server.ts'
import type { Accept, ByteStream, Gate, Listener, Report } from './listeners/stream.ts'
import { listenTcp, type TcpListenOptions } from './listeners/tcp.ts'
import { listenWebSocket, type WebSocketListenOptions } from './listeners/websocket.ts'
import { type LocalSubscribeOptions, LocalSubscription } from './local.ts'
import { type ClientInfo, clientInfo } from './metrics/clients.ts'
import { Counters, type Figures } from './metrics/figures.ts'
import { type DropReason, LossLedger } from './metrics/ledger.ts'
import { prometheusText } from './metrics/prometheus.ts'
import { SysTree } from './metrics/sys-tree.ts'
import { Tracer } from './metrics/trace.ts'
import { withoutPort } from './network.ts'
import { Notices } from './notices.ts'
import { type BrokerOptions, checkedLimits, DEFAULT_LIMITS, type Limits } from './options.ts'
import { Retained } from './retained/retained.ts'
import type { Delivery } from './routing/delivery.ts'
import { Distributor } from './routing/distributor.ts'
import { Message } from './routing/message.ts'
import { Router } from './routing/router.ts'
import { type RegistryHost, SessionRegistry } from './sessions/registry.ts'
import type { OverflowPolicy, Session } from './sessions/session.ts'
import { Wills } from './sessions/wills.ts'
import type { Durability, Journal } from './storage/journal.ts'
import { openStorage, type Storage } from './storage/storage.ts'
import { Turn } from './turn.ts'

/** How often timeouts are looked at, milliseconds. */
const SWEEP_MS = 250

/** The longest CONNECT where clients have to say who they are, unless the limits say otherwise, bytes. */
const LOGIN_PACKET_BYTES = 4096

/** How long closing waits for connections to take their last bytes, milliseconds. */
const CLOSE_MS = 3_000

/** An MQTT 3.1, 3.1.1 and 5.0 broker to embed. Several live side by side in one process.
 *
 *  ```ts
 *  const broker = new Broker()
 *  const listener = await broker.listen({ port: 0 })
 *  ```
 *  It is the one place that holds the parts together, which is why it is longer than most files. */
export class Broker implements RegistryHost {
  options: BrokerOptions
  readonly limits: Limits
  readonly pool = new BufferPool()
  readonly router: Router
  readonly sessions: SessionRegistry
  readonly retained: Retained
  readonly ledger = new LossLedger()
  readonly reader: Reader
  readonly strict: boolean
  readonly maximumQoS: QoS
  readonly queueTotals = { messages: 0, bytes: 0, inflightBytes: 0 }
  overflowPolicy: OverflowPolicy
  readonly hooks: HookRunner
  private someHaveRights = false
  readonly permissions: Permissions
  readonly door: Doorkeeper
  readonly notices: Notices
  readonly admission: Admission
  readonly distributor: Distributor
  readonly turn: Turn
  /** True when nothing wants to see each PUBLISH: runs are forwarded as they came. */
  readonly plainPublish: boolean
  readonly now: () => number
  readonly logger: Logger
  /** Follows messages that ask for it; undefined unless the option says so. */
  readonly tracer: Tracer | undefined
  readonly connections = new Set<Connection>()
  /** Of 3.x, with messages that storage could not take: only a new connection makes clients send them again. */
  readonly unanswered = new Set<Connection>()
  readonly counters: Counters
  /** Subscribers in this process. */
  localSessions = 0
  /** Writes down what has to survive; undefined without a data folder. */
  journal: Journal | undefined = undefined
  readonly wills: Wills
  /** Writes down who came and did what; undefined: nobody wants it. */
  audit: Audit | undefined = undefined
  private storage: Storage | undefined = undefined
  private readonly listeners = new Set<Listener>()
  private sweeper: NodeJS.Timeout | undefined = undefined
  private whenGone: () => void = () => undefined
  /** What waited in outputs that were not taken, when it was last counted. */
  private outputBytes = 0
  private sysTree: SysTree | undefined = undefined
  private sysTimer: NodeJS.Timeout | undefined = undefined
  private closing = false

  /** @throws TypeError, RangeError naming the option that is wrong */
  constructor(options: BrokerOptions = {}) {
    this.options = options
    this.limits = checkedLimits(options.limits)
    this.overflowPolicy = options.overflowPolicy ?? 'drop-oldest'
    this.strict = options.strict ?? true
    this.maximumQoS = options.maximumQoS ?? 2
    this.logger = options.logger ?? SILENT
    this.now = options.now ?? Date.now
    this.tracer = options.trace === true ? new Tracer((topic, text) => this.publish(topic, text)) : undefined
    this.reader = new Reader(this.strict)
    this.router = new Router(options.sharedStrategy ?? 'round-robin', (topic) => this.durabilityOf(topic))
    this.deliverAs(options)
    this.sessions = new SessionRegistry(this, this.router)
    this.turn = new Turn(this.pool)
    this.counters = new Counters(this.now())
    this.hooks = new HookRunner(options, (hook, error) => this.hookFailed(hook, error))
    this.notices = new Notices(this.logger, this.now)
    this.door = new Doorkeeper(this)
    this.permissions = new Permissions(this.limits, this.hooks, (session) => this.door.rightsOf(session))
    this.rulesChanged()
    this.admission = new Admission(this.limits, this.now)
    this.retained = new Retained(this.limits, this.now, this.router, (session, topic) =>
      this.permissions.mayReceive(session, topic),
    )
    if (options.checkRetainSource === true) {
      this.retained.stillAllows = (source, topic) => this.door.mayStillPublish(source, topic)
    }
    this.distributor = new Distributor(this.router, this.retained, this.now, (...loss) =>
      this.dropped(...loss),
    )
    this.wills = new Wills((session, message) => this.publishWill(session, message))
    this.plainPublish = this.hooks.plain
  }

  /** Listens for clients on TCP, or on a unix socket when `path` is given; with `tls` on TLS.
   *  @throws Error naming the address and what to do, when it cannot, or when it would be open to the world */
  async listen(options: TcpListenOptions = {}): Promise<Listener> {
    const host = options.path === undefined ? (options.host ?? '127.0.0.1') : 'localhost'
    return this.openListener(options, host, (...calls) => listenTcp(options, ...calls))
  }

  /** Listens for MQTT over WebSocket, on a port of its own or, with `server`, on an HTTP server that exists.
   *  @throws Error as `listen` */
  async listenWebSocket(options: WebSocketListenOptions = {}): Promise<Listener> {
    // A server that exists is its owner's, and so is where it listens.
    const host = options.server === undefined ? (options.host ?? '127.0.0.1') : 'localhost'
    const { maximumPacketSize } = this.limits
    return this.openListener(options, host, (...calls) =>
      listenWebSocket(options, maximumPacketSize, ...calls),
    )
  }

  private async openListener(
    options: SocketListenOptions,
    host: string,
    open: (accept: Accept, report: Report, gate: Gate) => Promise<Listener>,
  ): Promise<Listener> {
    checkMountPoint(options.mountPoint)
    await this.open()
    const access = await this.door.accessFor(options.access)
    const { tls, insecure = this.options.insecure === true } = options
    try {
      const asksWho =
        this.door.asksWho(access) || tls?.requireCertificate === true || tls?.pskFile !== undefined
      checkExposure({ host, hasTls: tls !== undefined, asksWho, insecure })
      const report: Report = (from, why) => this.reported(from, why)
      return this.addListener(
        await open((stream) => this.acceptFrom(stream, access, options), report, this.gate),
        access,
      )
    } catch (error) {
      this.door.release(access)
      throw error
    }
  }

  /** Opens the data folder and puts back what it holds, and reads the files of `access`. `listen` does so too, if it
   *  has not been done.
   *  @throws StorageError saying which process has the folder, or what is wrong with it; Error naming a file */
  async open(): Promise<void> {
    await this.door.open()
    await this.openAudit()
    const { data } = this.options
    if (data === undefined || this.storage !== undefined) return
    const { sessions, router, retained, wills, logger } = this
    const storageWorks = (): void => this.storageWorks()
    const parts = { sessions, router, retained, wills, host: this, now: this.now(), storageWorks }
    this.storage = openStorage(data, this.options, parts, logger)
    this.journal = retained.journal = wills.journal = this.storage.journal
    this.startSweeping()
  }

  private async openAudit(): Promise<void> {
    const { audit = {} } = this.options
    const failed = (why: string): void => this.logger.error({ why }, `the audit log is not written: ${why}`)
    this.audit ??= await Audit.open(audit, this.now, failed)
  }

  /** Reads certificates, password files, ACLs and keys again; connections stay, but those whose user is gone or has
   *  another password. It happens by itself when a file changes.
   *  @returns a line for each fault: what was in force before still is */
  async reload(): Promise<string[]> {
    const faults = [...(await this.door.reconfigure(this.options.access)), ...(await this.door.reload())]
    for (const listener of this.listeners) faults.push(...((await listener.reload?.()) ?? []))
    await this.audit?.reopen()
    this.audit?.reloaded({}, faults)
    return faults
  }

  /** Forgets who may do what: the rules have changed. */
  rulesChanged(): void {
    this.permissions.changed()
    const limited = this.hooks.decides || this.door.decides || this.someHaveRights
    this.router.mayReceive = limited
      ? (session, topic) => this.permissions.mayReceive(session, topic)
      : undefined
    this.router.changed()
  }

  /** A client has come in with rules of its own: from now on everybody is asked about. */
  rightsGiven(): void {
    if (this.someHaveRights) return
    this.someHaveRights = true
    if (!this.decidesPublishing) this.rulesChanged()
  }

  /** True when someone decides who may publish what. */
  get decidesPublishing(): boolean {
    return this.router.mayReceive !== undefined
  }

  private deliverAs({ queueQoS0 = false, upgradeQoS = false }: BrokerOptions): void {
    const { router } = this
    if (router.queueQoS0 === queueQoS0 && router.upgradeQoS === upgradeQoS) return
    router.queueQoS0 = queueQoS0
    router.upgradeQoS = upgradeQoS
    router.changed()
  }

  /** Says whether so many bytes more would be beyond what the broker may hold for its clients. */
  isBeyondMemory(size: number): boolean {
    const { queueTotals, retained, limits } = this
    const held = queueTotals.bytes + queueTotals.inflightBytes + retained.bytes + this.outputBytes
    return held + size > limits.memory
  }

  private durabilityOf(topic: string): Durability {
    for (const { filter, durability } of this.options.durabilityByFilter ?? []) {
      if (matches(filter, topic)) return durability
    }
    return this.options.durability ?? 'always'
  }

  /** Runs `then` once what was recorded for this session is safe; at once when it is not stored.
   *  @param failed runs instead when it cannot be written now, and takes it back; absent: `then` waits */
  whenCommitted(session: Session, then: () => void, failed?: () => void): void {
    if (this.journal === undefined || session.storeId === 0) then()
    else this.journal.whenCommitted(then, failed)
  }

  /** Storage failed and works again: what was put off is done. */
  private storageWorks(): void {
    this.retained.saveChanges()
    for (const connection of this.unanswered) {
      connection.disconnect(0x83, 'storage works again: what was not acknowledged may be sent again')
    }
    this.unanswered.clear()
  }

  /** Says whether what a session is to remember cannot be written now. */
  cannotKeep(session: Session): boolean {
    return session.storeId !== 0 && this.journal?.failing !== undefined
  }

  /** Sends an acknowledgement: once all is safe that was recorded since `before`.
   *  @param before the journal's count of records before the packet was handled;
   *  undefined: wait for all there is
   *  @param always wait, whatever the broker's own durability: the topic wants it */
  acknowledge(
    connection: Connection,
    first: number,
    packetId: number,
    reasonCode: ReasonCode,
    before: number | undefined,
    always: boolean,
  ): void {
    const { journal } = this
    if (journal === undefined || journal.records === before)
      return connection.acknowledge(first, packetId, reasonCode)
    journal.acknowledge(connection, first, packetId, reasonCode, always)
  }

  /** Looks at a connection before anything is spent on it. */
  private readonly gate: Gate = (remoteAddress) => this.admission.arrive(withoutPort(remoteAddress))

  /** Takes streams from a listener of one's own. */
  readonly accepting: Accept = (stream) => {
    const admitted = this.gate(stream.remoteAddress)
    const connection = this.acceptFrom(stream, undefined, NO_RULES)
    if (typeof admitted === 'string') connection.destroy(admitted)
    else admitted()
    return connection
  }

  private acceptFrom(stream: ByteStream, access: Access | undefined, rules: ListenerRules): Connection {
    const connection = new Connection(this, stream)
    connection.access = access
    connection.rules = rules
    if (rules.mountPoint !== undefined) connection.mount = new Mount(rules.mountPoint)
    const isDefault = this.limits.connectPacketSize === DEFAULT_LIMITS.connectPacketSize
    if (isDefault && this.door.asksWho(access)) connection.frames.maximumPacketSize = LOGIN_PACKET_BYTES
    this.connections.add(connection)
    this.counters.sockets++
    this.startSweeping()
    if (!this.admission.enter(connection.address))
      connection.destroy('too many connections from this address')
    return connection
  }

  private addListener(listener: Listener, access: Access | undefined): Listener {
    this.listeners.add(listener)
    this.startSysTree()
    return {
      ...listener,
      close: async () => {
        this.listeners.delete(listener)
        this.door.release(access)
        await listener.close()
      },
    }
  }

  /** Publishes in process, as a client would.
   *  @returns whether anyone was subscribed
   *  @throws TypeError, RangeError on a topic or property that MQTT cannot carry */
  publish(
    topic: string,
    payload: Uint8Array | string,
    options: { qos?: QoS; retain?: boolean; properties?: PublishProperties } = {},
  ): boolean {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    this.permissions.checkTopic(topic)
    const { qos = 0, retain = false, properties } = options
    return this.distributor.release(Message.of(topic, bytes, qos, retain, properties, undefined, this.now()))
  }

  /** Subscribes in process: retained messages first, then what is published, as a client would get it.
   *
   *  ```ts
   *  for await (const { topic, payload } of broker.subscribe('sensors/#')) …
   *  ```
   *  Leaving the loop unsubscribes.
   *  @throws TypeError, RangeError on a filter or option that is wrong */
  subscribe(topicFilter: string, options: LocalSubscribeOptions = {}): LocalSubscription {
    const clientId = `local-${randomBytes(12).toString('hex')}`
    return LocalSubscription.open(this, clientId, topicFilter, options)
  }

  /** Gives a subscriber in this process its connection and session. */
  acceptLocal(stream: LocalSubscription, clientId: string, receiveMaximum: number): Connection {
    const connection = new Connection(this, stream)
    const { session } = this.sessions.open(clientId, true, 0)
    connection.isLocal = connection.connecting = true
    connection.protocolVersion = connection.wireVersion = 5
    connection.session = session
    this.connections.add(connection)
    this.localSessions++
    session.connect(connection, receiveMaximum)
    return connection
  }

  /** All clients that are connected, or have a session that waits for them. */
  get clients(): IterableIterator<ClientInfo> {
    return this.listClients()
  }

  private *listClients(): Generator<ClientInfo, void, undefined> {
    for (const session of this.sessions) if (session.connection?.isLocal !== true) yield clientInfo(session)
  }

  /** Ends a client's connection; its session stays as long as it asked for, and its will is published.
   *  @param reasonCode what a client of 5.0 is told; default 0x98, administrative action
   *  @returns false when there is no such client, or it is not connected */
  disconnect(clientId: string, reasonCode: ReasonCode = 0x98): boolean {
    const connection = this.sessions.get(clientId)?.connection
    if (connection === undefined) return false
    this.audit?.administered('disconnect', { clientId })
    connection.disconnect(reasonCode, 'disconnected by the operator')
    return true
  }

  /** What there is to count, read now. */
  figures(): Figures {
    return this.counters.read(this)
  }

  /** The figures as Prometheus reads them. */
  metricsText(): string {
    return prometheusText(this.figures())
  }

  /** Stops listening, says goodbye to every client (0x8B) and settles when all are gone. */
  async close(): Promise<void> {
    this.closing = true
    await Promise.all([...this.listeners].map((listener) => listener.close()))
    this.listeners.clear()
    this.door.close()
    for (const connection of [...this.connections]) connection.disconnect(0x8b, 'broker is shutting down')
    for (const connection of [...this.connections]) connection.destroy('broker is shutting down')
    await this.allGone()
    if (this.sweeper !== undefined) clearInterval(this.sweeper)
    this.sweeper = undefined
    clearInterval(this.sysTimer)
    await this.storage?.close()
    await this.audit?.close()
  }

  /** Settles when the last connection has closed, or does not within a time that its peer could have used. */
  private allGone(): Promise<void> {
    if (this.connections.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSE_MS)
      this.whenGone = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Takes new values of the options that can change while the broker runs: limits, `overflowPolicy`,
   *  `queueQoS0`, `upgradeQoS`, `checkPayloadFormat`, `emptyClientId`, `reasonStrings`, `responseInformation` and
   *  `sysInterval`, and with the next `reload()` `access`. What is absent goes back to its default; other options stay as they are.
   *  @throws RangeError naming the limit that is wrong; then nothing has changed */
  reconfigure(options: BrokerOptions): void {
    const limits = checkedLimits(options.limits)
    const { overflowPolicy, checkPayloadFormat, emptyClientId, reasonStrings } = options
    const { responseInformation, sysInterval, access, queueQoS0, upgradeQoS } = options
    const changed = {
      overflowPolicy,
      queueQoS0,
      upgradeQoS,
      checkPayloadFormat,
      emptyClientId,
      reasonStrings,
      responseInformation,
      sysInterval,
      access,
    }
    Object.assign(this.limits, limits)
    this.options = { ...this.options, ...changed, limits }
    this.overflowPolicy = overflowPolicy ?? 'drop-oldest'
    this.deliverAs(options)
    clearInterval(this.sysTimer)
    this.sysTimer = undefined
    if (this.listeners.size > 0) this.startSysTree()
  }

  // ---- connections

  /** Asks whether a client may come in. */
  authenticate(
    connection: Connection,
    packet: Connect,
  ): AuthenticationResult | Promise<AuthenticationResult> {
    return this.door.authenticate(connection, packet)
  }

  /** Says in the log that a client was closed before it came to CONNECT. */
  turnedAway(connection: Connection, why: string): void {
    this.reported(connection.stream.remoteAddress, why)
  }

  private reported(from: string | undefined, why: string): void {
    this.notices.warn({ from }, from === undefined ? why : `client at ${from}: ${why}`)
    this.audit?.turnedAway(from, why)
  }

  /** Says in the log who was refused, and why. */
  refused(connection: Connection, reasonCode: ReasonCode, why: string | undefined): void {
    const from = connection.stream.remoteAddress
    const code = `0x${reasonCode.toString(16)}`
    const who = `client ${JSON.stringify(connection.claimedId)} at ${from}`
    this.notices.warn(
      { from, clientId: connection.claimedId, reasonCode },
      `${who} is refused (${code})${why === undefined ? '' : `: ${why}`}`,
    )
    this.audit?.refused(auditClient(connection), reasonCode, why)
  }

  /** Says in the log what a client was not allowed, and by which rule. */
  denied({ clientId, username }: AclSubject, action: AclAction, topic: string, rule: string): void {
    const who = `client ${JSON.stringify(clientId)} (${username === undefined ? 'no user' : `user ${JSON.stringify(username)}`})`
    const message = `${who} may not ${action} ${JSON.stringify(topic)}: ${rule}`
    this.notices.warn({ clientId, username, action, topic, rule }, message)
    this.audit?.denied({ clientId, username }, action, topic, rule)
  }

  /** The enhanced authentication of this name; undefined when there is none. */
  authenticator(method: string): Authenticator | undefined {
    return this.options.authenticators?.find((each) => each.method === method)
  }

  private hookFailed(hook: string, error: unknown): void {
    this.logger.error({ err: error, hook }, 'hook failed')
  }

  /** The message as `onPublish` wants it; undefined, and logged, when MQTT cannot carry that. */
  changedByHook(message: Message, changes: Parameters<Message['with']>[0]): Message | undefined {
    try {
      return message.with(changes, this.now())
    } catch (error) {
      this.hookFailed('onPublish', error)
      return undefined
    }
  }

  /** A client has a message: for QoS 0, as far as we can know. */
  delivered(connection: Connection, delivery: Delivery): void {
    if (this.plainPublish || connection.isLocal) return
    const { topic, payload, properties } = delivery.message
    const { qos, retain } = delivery
    this.hooks.delivered(() => connection.hookClient, { topic, payload, qos, retain, properties })
  }

  /** The code with which a new connection is refused before it is authenticated; 0: it is not. */
  refusesConnection(clientId: string): ReasonCode {
    if (this.closing) return 0x88
    if (this.sessions.size >= this.limits.sessions && this.sessions.get(clientId) === undefined) return 0x97
    return this.admission.refusal
  }

  /** Seconds of keep alive that hold for a client that asked for `wanted`. */
  keepAliveFor(wanted: number): number {
    const limit = this.limits.keepAlive
    return limit > 0 && (wanted === 0 || wanted > limit) ? limit : wanted
  }

  /** A client is being let in: its will is stored with its session, before CONNACK says that it is there. */
  announceWill(connection: Connection, session: Session, will: Will | undefined): void {
    if (will === undefined || this.journal === undefined || session.storeId === 0) return
    const { message, delay } = this.messageOf(session, will)
    this.wills.announce(connection, session, message, delay)
  }

  connectionBegan(connection: Connection): void {
    this.wills.connected(connection, connection.session!)
    const { counters, sessions, localSessions } = this
    counters.clientsMaximum = Math.max(counters.clientsMaximum, sessions.size - localSessions)
    this.logger.info({ clientId: connection.clientId, from: connection.stream.remoteAddress }, 'connected')
    const { protocolVersion, stream } = connection
    this.audit?.connected({ ...auditClient(connection), protocolVersion, subject: stream.tls?.subject })
  }

  /** Settles session and will of a connection that has just ended. */
  connectionEnded(connection: Connection, why: string): void {
    const { session, will } = connection
    this.logger.info({ clientId: connection.clientId, why }, 'disconnected')
    if (session !== undefined && !connection.isLocal) {
      this.hooks.disconnected(connection.hookClient, why)
      this.audit?.disconnected(auditClient(connection), why)
    }
    if (session === undefined || session.connection !== connection) return
    this.retained.stop(session)
    connection.will = undefined
    this.sessions.release(session)
    // After DISCONNECT 0 the will is gone already; 0x04 leaves it to be published.
    if (will === undefined) this.wills.withdraw(connection, session)
    else {
      const { willDelayInterval = 0 } = will.properties ?? {}
      const message = (): Message => this.messageOf(session, will).message
      this.wills.arm(connection, session, message, willDelayInterval, this.now())
    }
  }

  forget(connection: Connection): void {
    if (!this.connections.delete(connection)) return
    this.unanswered.delete(connection)
    this.counters.leave(connection)
    if (this.connections.size === 0) this.whenGone()
    if (connection.isLocal) {
      this.localSessions--
      return
    }
    this.admission.leave(connection.address, connection.countedUser)
  }

  sessionEnded(session: Session, left: Delivery[]): Promise<void> | undefined {
    const asked = this.wills.sessionEnded(session)
    // QoS 2 that had begun is lost with the session [MQTT-4.8.2-5].
    this.redistribute(
      left.filter((delivery) => delivery.group !== undefined && delivery.qos === 1),
      session,
    )
    return asked
  }

  redistribute(deliveries: readonly Delivery[], except: Session): void {
    this.distributor.redistribute(deliveries, except)
  }

  private messageOf(session: Session, will: Will): { message: Message; delay: number } {
    const { topic, payload, qos, retain } = will
    const { willDelayInterval: delay = 0, ...properties } = will.properties ?? {}
    return { message: Message.of(topic, payload, qos, retain, properties, session, this.now()), delay }
  }

  private publishWill(session: Session, message: Message): Promise<void> | undefined {
    const allowed = this.permissions.mayPublish(session, message.topic)
    const publish = (may: boolean): Promise<void> | undefined => {
      if (!may) return void this.dropped(session.clientId, message.topic, 'not authorised')
      const { clientId, username } = session
      const client = { clientId, username, remoteAddress: undefined, protocolVersion: undefined }
      return this.hooks.publish(client, message, (verdict) => {
        if (verdict === undefined) return void this.distributor.release(message.restarted(this.now()))
        const isGone = verdict === 'drop' || 'reasonCode' in verdict
        const changed = isGone ? undefined : this.changedByHook(message, verdict)
        if (changed === undefined) this.dropped(clientId, message.topic, 'refused by hook')
        else this.distributor.release(changed)
      })
    }
    return isPromise(allowed) ? allowed.then(publish) : publish(allowed)
  }

  /** Counts messages that nobody wanted. */
  unheard(connection: Connection, topic: string, count: number): void {
    this.dropped(connection.clientId, topic, 'no one subscribed', count)
  }

  /** Counts messages that did not reach someone. */
  dropped(clientId: string, topic: string, reason: DropReason, count = 1): void {
    this.ledger.add(clientId, topic, reason, this.now(), count)
  }

  // ---- time

  private startSweeping(): void {
    if (this.sweeper !== undefined) return
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS)
    this.sweeper.unref()
  }

  private countOutput(): number {
    let bytes = 0
    for (const { output } of this.connections) if (output.blocked) bytes += output.backlog
    return bytes
  }

  private startSysTree(): void {
    const { sysInterval = 10 } = this.options
    if (sysInterval === 0 || this.sysTimer !== undefined) return
    this.sysTree ??= new SysTree(`pipit version ${VERSION}`, (topic, value) => this.publishSys(topic, value))
    this.updateSysTree()
    this.sysTimer = setInterval(() => this.updateSysTree(), sysInterval * 1000).unref()
  }

  /** Brings $SYS up to date; it happens by itself every `sysInterval` seconds. */
  updateSysTree(): void {
    this.sysTree?.update(this.figures(), this.now())
  }

  private publishSys(topic: string, value: string): void {
    const message = Message.of(topic, Buffer.from(value), 0, true, undefined, undefined, this.now())
    message.volatile = true // counted anew by the next process
    this.distributor.release(message)
  }

  /** Does what is due by the clock: keep alive, wills, sessions that expire. It runs four times a second by itself;
   *  call it after moving a clock given as `options.now`. */
  sweep(): void {
    const now = this.now()
    for (const connection of this.connections) connection.checkTime(now)
    if (this.limits.memory > 0) this.outputBytes = this.countOutput()
    this.sessions.sweep()
    this.wills.sweep(now)
    this.admission.sweep()
  }
}

/** A client by what it is called now, or by what it says that it is. */
function auditClient({ session, claimedId, claimedUser, stream }: Connection): AuditClient {
  const from = stream.remoteAddress
  if (session !== undefined) return { clientId: session.clientId, username: session.username, from }
  return { clientId: claimedId, username: claimedUser, from }
}

/** What the broker says in its log; pino's shape. */
export interface Logger {
  info(data: object, message: string): void
  warn(data: object, message: string): void
  error(data: object, message: string): void
}

/** The package's, which stands beside `src` and `dist` alike. */
const VERSION = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version

const SILENT: Logger = { info() {}, warn() {}, error() {} }
