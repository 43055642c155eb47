import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { AuthenticationResult } from './authenticate.ts'
import type { AuthenticationExchange, AuthenticationStep, Authenticator } from './authenticator.ts'

/** What a server keeps of a password: enough to check it, not enough to log in with it.
 *  @see RFC 5802, 3 */
export interface ScramCredentials {
  readonly salt: Uint8Array
  /** Of PBKDF2; 4096 or more (RFC 7677). */
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

export interface ScramOptions {
  /** What is kept of a user's password; undefined: there is no such user, which the client cannot tell from a
   *  wrong password. */
  readonly credentials: (
    username: string,
  ) => ScramCredentials | undefined | Promise<ScramCredentials | undefined>
  /** The server's part of the nonce; default 18 random bytes in base64. */
  readonly nonce?: () => string
}

const KEY_BYTES = 32
const DEFAULT_ITERATIONS = 15_000

/** Makes what the server keeps of a password.
 *  @param options.iterations 4096 or more; default 15000. The client does this work at each login
 *  @throws RangeError on fewer iterations */
export async function scramCredentials(
  password: string,
  options: { readonly salt?: Uint8Array; readonly iterations?: number } = {},
): Promise<ScramCredentials> {
  const { salt = randomBytes(16), iterations = DEFAULT_ITERATIONS } = options
  if (!(iterations >= 4096))
    throw new RangeError(`${iterations} iterations; SCRAM-SHA-256 takes 4096 or more`)
  const salted = await promisify(pbkdf2)(saslPrepared(password), salt, iterations, KEY_BYTES, 'sha256')
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest()
  return { salt, iterations, storedKey, serverKey: hmac(salted, 'Server Key') }
}

/** SCRAM-SHA-256 as an Authentication Method: the password never crosses the wire, and the client learns that
 *  the server knows it too.
 *  @see RFC 5802 and RFC 7677 */
export class ScramSha256 implements Authenticator {
  readonly method = 'SCRAM-SHA-256'
  private readonly options: ScramOptions
  /** Gives users that do not exist a salt that stays the same. */
  private readonly decoyKey = randomBytes(32)

  constructor(options: ScramOptions) {
    this.options = options
  }

  begin(): AuthenticationExchange {
    return new ScramExchange(this.options, this.decoyKey)
  }
}

interface ClientFirst {
  readonly username: string
  readonly gs2Header: string
  readonly bare: string
  readonly nonce: string
}

class ScramExchange implements AuthenticationExchange {
  private readonly options: ScramOptions
  private readonly decoyKey: Buffer
  private first: ClientFirst | undefined = undefined
  private serverFirst = ''
  private nonce = ''
  private credentials: ScramCredentials | undefined = undefined
  private known = false

  constructor(options: ScramOptions, decoyKey: Buffer) {
    this.options = options
    this.decoyKey = decoyKey
  }

  step(data: Uint8Array | undefined): AuthenticationStep | Promise<AuthenticationStep> {
    // A client may wait to be asked: an empty challenge asks it to begin.
    if (data === undefined && this.first === undefined) return { challenge: new Uint8Array(0) }
    const text = Buffer.from(data ?? []).toString('utf8')
    return this.first === undefined ? this.begin(text) : this.finish(this.first, text)
  }

  private async begin(text: string): Promise<AuthenticationStep> {
    const first = parseClientFirst(text)
    if (first === undefined) return MALFORMED
    const found = await this.options.credentials(first.username)
    this.known = found !== undefined
    this.credentials = found ?? this.decoy(first.username)
    this.first = first
    this.nonce = first.nonce + (this.options.nonce?.() ?? randomBytes(18).toString('base64'))
    const { salt, iterations } = this.credentials
    this.serverFirst = `r=${this.nonce},s=${Buffer.from(salt).toString('base64')},i=${iterations}`
    return { challenge: Buffer.from(this.serverFirst) }
  }

  private finish(first: ClientFirst, text: string): AuthenticationStep {
    const match = /^(c=([^,]*),r=([^,]*)(?:,[A-Za-z]=[^,]*)*),p=([A-Za-z0-9+/=]+)$/.exec(text)
    const credentials = this.credentials
    if (match === null || credentials === undefined) return MALFORMED
    const [, withoutProof = '', binding = '', nonce = '', proof = ''] = match
    if (binding !== Buffer.from(first.gs2Header).toString('base64') || nonce !== this.nonce) {
      return wrong(first)
    }
    const message = `${first.bare},${this.serverFirst},${withoutProof}`
    const given = Buffer.from(proof, 'base64')
    if (given.length !== KEY_BYTES) return wrong(first)
    const clientKey = xor(given, hmac(credentials.storedKey, message))
    const storedKey = createHash('sha256').update(clientKey).digest()
    const isRight = timingSafeEqual(storedKey, credentials.storedKey)
    if (!isRight || !this.known) return wrong(first)
    const signature = hmac(credentials.serverKey, message).toString('base64')
    return { reasonCode: 0, username: first.username, authenticationData: Buffer.from(`v=${signature}`) }
  }

  private decoy(username: string): ScramCredentials {
    const salt = hmac(this.decoyKey, username).subarray(0, 16)
    return {
      salt,
      iterations: DEFAULT_ITERATIONS,
      storedKey: randomBytes(KEY_BYTES),
      serverKey: randomBytes(KEY_BYTES),
    }
  }
}

const MALFORMED: AuthenticationResult = { reasonCode: 0x82, reasonString: 'no message of SCRAM' }

/** Names who was tried: failures are counted by user. */
function wrong({ username }: ClientFirst): AuthenticationResult {
  return { reasonCode: 0x86, username, reasonString: 'wrong user name or password' }
}

/** @see RFC 5802, 7: client-first-message. Channel binding is not offered, so `p=` is refused. */
function parseClientFirst(text: string): ClientFirst | undefined {
  const match = /^([ny],(?:a=([^,]+))?,)(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,[A-Za-z]=[^,]*)*)$/.exec(text)
  if (match === null) return undefined
  const [, gs2Header = '', authzid, bare = '', name = '', nonce = ''] = match
  const username = saslName(name)
  // To act as somebody else is not offered either.
  if (username === undefined || (authzid !== undefined && saslName(authzid) !== username)) return undefined
  return { username, gs2Header, bare, nonce }
}

/** A name with its `=2C` and `=3D` put back; undefined when it holds any other `=`. */
function saslName(name: string): string | undefined {
  if (/=(?!2C|3D)/.test(name)) return undefined
  return saslPrepared(name.replaceAll('=2C', ',').replaceAll('=3D', '='))
}

/** The part of SASLprep (RFC 4013) that changes strings: spaces, what maps to nothing, and NFKC. */
function saslPrepared(text: string): string {
  return text
    .replaceAll(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g, ' ')
    .replaceAll(/\u00ad|\u034f|\u1806|[\u180b-\u180d]|[\u200c\u200d]|\u2060|[\ufe00-\ufe0f]|\ufeff/g, '')
    .normalize('NFKC')
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ b[i]!))
}
