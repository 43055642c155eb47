import type { Connect } from '@pipit/protocol'
import type { Broker } from '../broker.ts'
import type { Connection } from '../connection.ts'
import { isPromise } from '../hooks.ts'
import type { RetainSource } from '../retained/source.ts'
import type { Session } from '../sessions/session.ts'
import { Access, type AccessHost } from './access.ts'
import type { AccessOptions } from './access-options.ts'
import type { AclSubject } from './acl.ts'
import type { AuthenticationResult } from './authenticate.ts'
import { Backoff, GUESSED, isGuess } from './backoff.ts'
import { NO_RIGHTS, type Rights } from './rights.ts'

/** Asks who clients are and gives them their rights: the broker's access, those of its listeners, and the hook. */
export class Doorkeeper {
  private readonly broker: Broker
  private standard: Access | undefined = undefined
  private readonly all = new Set<Access>()
  private isOpen = false
  /** Of logins in several packets; those with a password are counted where they are checked. */
  private readonly backoff: Backoff

  constructor(broker: Broker) {
    this.broker = broker
    this.backoff = new Backoff(() => broker.now())
  }

  /** Reads the files of the broker's own access.
   *  @throws Error naming the file, and the line, that is wrong */
  async open(): Promise<void> {
    if (this.isOpen) return
    this.isOpen = true
    const { access } = this.broker.options
    if (access !== undefined) this.standard = await this.add(access)
  }

  /** The access of a listener.
   *  @throws as `open` */
  async accessFor(options: AccessOptions | undefined): Promise<Access | undefined> {
    return options === undefined ? this.standard : this.add(options)
  }

  /** A listener is gone, or never was. Its connections still have their rights. */
  release(access: Access | undefined): void {
    if (access === undefined || access === this.standard) return
    access.close()
  }

  /** Says whether clients of a listener have to say who they are. */
  asksWho(access: Access | undefined): boolean {
    const { authenticate } = this.broker.options
    return authenticate !== undefined || access?.asksWho === true
  }

  /** True when some clients may not do everything. */
  get decides(): boolean {
    for (const access of this.all) if (access.decides) return true
    return false
  }

  private async add(options: AccessOptions): Promise<Access> {
    const access = await Access.open(options, this.host)
    this.all.add(access)
    this.broker.rulesChanged()
    return access
  }

  private get host(): AccessHost {
    const { broker } = this
    return {
      now: () => broker.now(),
      warn: (message) => broker.notices.warn({}, message),
      denied: (subject, action, topic, rule) => broker.denied(subject, action, topic, rule),
      changed: (access) => this.changed(access),
    }
  }

  /** Who asks to come in: its certificate, the access of its listener, then the hook. */
  authenticate(
    connection: Connection,
    packet: Connect,
  ): AuthenticationResult | Promise<AuthenticationResult> {
    const { access, address } = connection
    const { remoteAddress, tls } = connection.stream
    const { hooks, options } = this.broker
    if (connection.stream.isTrusted === true) return { reasonCode: 0 }
    if (tls?.refusal !== undefined) return { reasonCode: 0x87, reasonString: tls.refusal }
    const { clientId, username, password } = packet
    const request = { clientId, username, password, remoteAddress, packet }
    if (access === undefined) {
      const named = tls?.username ?? username
      const answer = hooks.authenticate({ ...request, username: named })
      if (tls?.username === undefined) return answer
      const first: AuthenticationResult = { reasonCode: 0, username: tls.username }
      return isPromise(answer) ? answer.then((second) => joined(first, second)) : joined(first, answer)
    }
    const isLast = options.authenticate === undefined
    return access.authenticate(request, address, tls, isLast).then(async (first) => {
      connection.loginUser = first.username ?? username
      connection.loginMark = first.mark
      if (first.reasonCode !== 0 || isLast) return first
      return joined(first, await hooks.authenticate({ ...request, username: first.username ?? username }))
    })
  }

  /** What counts of a login in several packets: who has failed too often is not let in, whatever it knows now. */
  concluded({ address, claimedUser = '' }: Connection, result: AuthenticationResult): AuthenticationResult {
    const who = result.username ?? claimedUser
    if (result.reasonCode !== 0 && !isGuess(result)) return result
    if (this.backoff.wait(address, who) > 0) return GUESSED
    if (result.reasonCode === 0) this.backoff.succeeded(address, who)
    else this.backoff.failed(address, who)
    return result
  }

  /** What a client that comes in will be allowed; undefined: everything. */
  rightsFor(
    connection: Connection,
    subject: AclSubject,
    acl: readonly string[] | undefined,
  ): Rights | undefined {
    const { access } = connection
    if (access !== undefined) return access.rightsOf(subject, acl)
    return acl === undefined ? undefined : this.emptyAccess.rightsOf(subject, acl)
  }

  private get emptyAccess(): Access {
    return Access.without(this.host)
  }

  /** Says whether the password with which a client logged in is still the one that it would need. */
  stillKnows({ access, loginUser, loginMark }: Connection): boolean {
    return access === undefined || access.stillKnows(loginUser, loginMark)
  }

  /** A session gets its rights. */
  admit(connection: Connection, session: Session, rights: Rights | undefined): void {
    session.rights = rights
    session.isTrusted = connection.stream.isTrusted === true
    if (rights !== undefined) this.broker.rightsGiven()
    this.broker.permissions.forget(session)
  }

  /** The rights of a session; those of one that was restored are its user's at the broker's own access. */
  rightsOf(session: Session): Rights | undefined {
    if (
      session.isTrusted ||
      session.rights !== undefined ||
      session.connection !== undefined ||
      this.all.size === 0
    ) {
      return session.rights
    }
    const { clientId, username } = session
    if (this.standard === undefined) return NO_RIGHTS
    session.rights = this.standard.rightsOf({ clientId, username }, undefined)
    return session.rights
  }

  /** Says whether who published a retained message still may. Of one that came in before the broker was started it is
   *  not known through which listener: then any of them will do. */
  mayStillPublish({ clientId, username, rights }: RetainSource, topic: string): boolean {
    if (rights !== undefined) return rights.mayStillPublish(topic)
    for (const access of this.all) {
      const its = access.rightsOf({ clientId, username }, undefined)
      if (its?.mayStillPublish(topic) ?? true) return true
    }
    return this.all.size === 0
  }

  /** Takes other options of the broker's own access.
   *  @returns a line for each fault, after which the old ones stay in force */
  async reconfigure(options: AccessOptions | undefined): Promise<string[]> {
    const { standard } = this
    if (JSON.stringify(options) === JSON.stringify(standard?.options)) return []
    if (options === undefined || standard === undefined) {
      return ['access: that there is any, or none, counts only after a restart']
    }
    try {
      await standard.configure(options)
      return []
    } catch (error) {
      return [`${(error as Error).message} (access stays as it was)`]
    }
  }

  /** Reads all files again.
   *  @returns a line for each fault, after which what was there stays in force */
  async reload(): Promise<string[]> {
    const faults: string[] = []
    for (const access of this.all) faults.push(...(await access.reload()))
    return faults
  }

  /** Who is no longer known, or has another password now, has to log in again: who is on its way in, too. */
  private changed(access: Access): void {
    const { broker } = this
    for (const connection of [...broker.connections]) {
      if (connection.access !== access) continue
      this.limit(connection, connection.session)
      if (!this.stillKnows(connection)) connection.disconnect(0x87, 'its password is no longer valid')
    }
    broker.rulesChanged()
  }

  /** There may be rules where there were none. */
  limit({ access }: Connection, session: Session | undefined): void {
    if (session === undefined || session.isTrusted) return
    session.rights ??= access?.rightsOf(session, undefined)
  }

  close(): void {
    for (const access of this.all) access.close()
  }
}

/** What was found out first, and what the hook says besides. Where it says `undefined`, it says nothing. */
function joined(first: AuthenticationResult, second: AuthenticationResult): AuthenticationResult {
  const { username = first.username, acl = first.acl } = second
  return {
    ...first,
    ...second,
    ...(username !== undefined && { username }),
    ...(acl !== undefined && { acl }),
  }
}
