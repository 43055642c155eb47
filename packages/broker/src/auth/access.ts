import { FileWatch } from '../files.ts'
import type { TlsPeer } from '../listeners/stream.ts'
import type { AccessOptions } from './access-options.ts'
import type { Acl, AclAction, AclDecision, AclSubject } from './acl.ts'
import { AclError, readAcl } from './acl-file.ts'
import { aclOf } from './acl-yaml.ts'
import type { AuthenticationResult, ConnectRequest } from './authenticate.ts'
import { Backoff, GUESSED, isGuess } from './backoff.ts'
import { HttpAccess } from './http-access.ts'
import { JwtAccess } from './jwt.ts'
import { Passwords } from './passwords.ts'
import { type Rights, type RuleSource, SubjectRights } from './rights.ts'

/** What an access says to the broker it belongs to. */
export interface AccessHost {
  now(): number
  /** For the log: what an operator has to put right. */
  warn(message: string): void
  /** A client did what its ACL does not allow. */
  denied(subject: AclSubject, action: AclAction, topic: string, rule: string): void
  /** Rules or users have changed. */
  changed(access: Access): void
}

/** A client that was asked who it is. */
export interface Login extends AuthenticationResult {
  /** What the password that it gave is known by, as `markOf` gives it. */
  readonly mark?: string
}

/** Who may come in and do what, at a broker or at one of its listeners. */
export class Access implements RuleSource {
  options: AccessOptions
  acl: Acl | undefined = undefined
  http: HttpAccess | undefined
  private readonly host: AccessHost
  private passwords: Passwords | undefined
  private jwt: JwtAccess | undefined
  private readonly backoff: Backoff
  private watch: FileWatch | undefined = undefined
  private reading: Promise<unknown> = Promise.resolve()

  /** Reads the files.
   *  @throws Error naming the file, and the line, that is wrong */
  static async open(options: AccessOptions, host: AccessHost): Promise<Access> {
    const access = new Access(options, host)
    if (options.aclFile !== undefined) access.acl = await readAcl(options.aclFile)
    for (const fault of (await access.passwords?.load()) ?? []) host.warn(fault)
    await access.jwt?.load()
    access.watch = new FileWatch(access.files, () => void access.reload())
    return access
  }

  /** One that asks nobody and has no files: what a hook says about a client is all there is. */
  static without(host: AccessHost): Access {
    return new Access({}, host)
  }

  private constructor(options: AccessOptions, host: AccessHost) {
    const { passwordFile, jwt, http } = options
    this.options = options
    this.host = host
    this.backoff = new Backoff(() => host.now())
    const warn = (why: string): void => host.warn(why)
    this.passwords = passwordFile === undefined ? undefined : new Passwords(passwordFile)
    this.jwt = jwt === undefined ? undefined : new JwtAccess(jwt, () => host.now(), warn)
    this.http = http === undefined ? undefined : new HttpAccess(http, () => host.now(), warn)
  }

  /** Takes other options; clients that are in stay, with the rights that they have now.
   *  @throws as `open`; then the old ones hold */
  async configure(options: AccessOptions): Promise<void> {
    const other = await Access.open(options, this.host)
    other.close()
    this.close()
    this.options = options
    this.acl = other.acl
    this.passwords = other.passwords
    this.jwt = other.jwt
    this.http = other.http
    this.watch = new FileWatch(this.files, () => void this.reload())
    this.host.changed(this)
  }

  private get files(): string[] {
    const { passwordFile, aclFile } = this.options
    return [passwordFile, aclFile, this.jwt?.file].filter((each) => each !== undefined)
  }

  /** Says whether clients have to say who they are. */
  get asksWho(): boolean {
    return !this.anonymous
  }

  private get anonymous(): boolean {
    const { anonymous, passwordFile, jwt, http } = this.options
    return anonymous ?? (passwordFile ?? jwt ?? http) === undefined
  }

  /** Says whether what clients may do is limited. */
  get decides(): boolean {
    const { aclFile, jwt, http } = this.options
    return aclFile !== undefined || jwt !== undefined || http !== undefined
  }

  /** Reads the files again; each that is wrong stays as it was. One time after the other: what was read first must
   *  not be what stays.
   *  @returns a line for each fault */
  reload(): Promise<string[]> {
    const reading = this.reading.then(() => this.readAgain())
    this.reading = reading
    return reading
  }

  private async readAgain(): Promise<string[]> {
    const faults: string[] = []
    const attempt = async (what: string, read: () => Promise<readonly string[]>): Promise<void> => {
      try {
        faults.push(...(await read()))
      } catch (error) {
        const lines = error instanceof AclError ? error.faults : [(error as Error).message]
        faults.push(...lines.map((line) => `${line} (${what} stays as it was)`))
      }
    }
    const { aclFile } = this.options
    if (aclFile !== undefined) {
      await attempt('the ACL', async () => {
        this.acl = await readAcl(aclFile)
        return []
      })
    }
    await attempt('the password file', async () => (await this.passwords?.load()) ?? [])
    await attempt('the keys for tokens', async () => {
      await this.jwt?.load()
      return []
    })
    this.http?.forget()
    for (const fault of faults) this.host.warn(fault)
    this.host.changed(this)
    return faults
  }

  close(): void {
    this.watch?.close()
  }

  /** What speaks against a client whoever it is. */
  refusalOf(clientId: string): string | undefined {
    const { clientIdPrefix } = this.options
    if (clientIdPrefix === undefined || clientId.startsWith(clientIdPrefix)) return undefined
    return 'its client identifier does not begin as it has to'
  }

  /** Decides who a client is.
   *  @param address without its port
   *  @param isLast nobody else is asked afterwards */
  async authenticate(
    request: ConnectRequest,
    address: string,
    tls: TlsPeer | undefined,
    isLast: boolean,
  ): Promise<Login> {
    const refusal = this.refusalOf(request.clientId)
    if (refusal !== undefined) return { reasonCode: 0x87, reasonString: refusal }
    if (tls?.username !== undefined) return { reasonCode: 0, username: tls.username }
    const { username, password } = request
    if (username === undefined && password === undefined) {
      return this.anonymous ? LET_IN : { reasonCode: 0x87, reasonString: 'it says no user name' }
    }
    const who = username ?? ''
    if (this.backoff.wait(address, who) > 0) return GUESSED
    const result = await this.identify(request, isLast)
    // Many at a time are no way around it.
    if (this.backoff.wait(address, who) > 0) return GUESSED
    if (result.reasonCode === 0) this.backoff.succeeded(address, who)
    else if (isGuess(result)) this.backoff.failed(address, who)
    return result
  }

  private async identify(request: ConnectRequest, isLast: boolean): Promise<Login> {
    const { clientId, username, password } = request
    if (this.jwt !== undefined && password !== undefined && JwtAccess.isToken(password)) {
      return this.jwt.authenticate(clientId, password)
    }
    const { passwords, http } = this
    if (
      username !== undefined &&
      passwords !== undefined &&
      (passwords.has(username) || http === undefined)
    ) {
      const verdict = await passwords.check(username, password ?? NOTHING)
      if (verdict === 'busy') return { reasonCode: 0x89, reasonString: 'too many logins at a time' }
      return verdict === 'wrong' ? WRONG : { ...LET_IN, mark: verdict.mark }
    }
    if (http !== undefined) return http.authenticate(request)
    // Nobody here knows names: they count as they are given, unless somebody was to be asked.
    const knowsNobody = this.jwt === undefined && passwords === undefined
    return knowsNobody && (this.anonymous || !isLast) ? LET_IN : WRONG
  }

  /** What a client that was let in may do; undefined: everything. */
  rightsOf(subject: AclSubject, rules: readonly string[] | undefined): Rights | undefined {
    if (rules === undefined) return this.decides ? new SubjectRights(subject, this, undefined) : undefined
    const own = aclOf(rules, 'its own ACL')
    if (typeof own !== 'string') return new SubjectRights(subject, this, own)
    this.host.warn(`the rules of ${JSON.stringify(subject.username)} allow nothing: ${own}`)
    const nothing = aclOf([], 'its own ACL')
    return typeof nothing === 'string' ? undefined : new SubjectRights(subject, this, nothing)
  }

  /** Says whether a user that was let in still would be, as far as the password file goes. */
  stillKnows(username: string | undefined, mark: string | undefined): boolean {
    return mark === undefined || username === undefined || this.markOf(username) === mark
  }

  /** What changes with a user's password; undefined when the file does not know the user. */
  markOf(username: string | undefined): string | undefined {
    return username === undefined ? undefined : this.passwords?.markOf(username)
  }

  denied(subject: AclSubject, action: AclAction, topic: string, { rule, why }: AclDecision): void {
    const name = this.acl?.name ?? 'ACL'
    const said = rule === undefined ? (why ?? '') : `${name}:${rule.line}: ${rule.verb} ${rule.topic}`
    this.host.denied(subject, action, topic, said)
  }
}

const LET_IN: AuthenticationResult = { reasonCode: 0 }
const WRONG: AuthenticationResult = { reasonCode: 0x86, reasonString: 'wrong user name or password' }
const NOTHING = new Uint8Array(0)
