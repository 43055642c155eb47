import { createPublicKey } from 'node:crypto'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose'
import { contentsOf, isPem } from '../files.ts'
import type { JwtOptions } from './access-options.ts'
import type { AuthenticationResult } from './authenticate.ts'
import { checkUrl, requestTo } from './url.ts'

/** Signatures only: with a shared secret, whoever can check a token can make one. */
const ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]

/** The longest token that is looked at, bytes. */
const LONGEST = 16_384

/** Knows clients by signed tokens that they give as their passwords. */
export class JwtAccess {
  private readonly options: JwtOptions
  private readonly now: () => number
  private readonly failed: (why: string) => void
  private keys: JWTVerifyGetKey | undefined = undefined

  /** @throws Error when the algorithms are not those of signatures */
  constructor(options: JwtOptions, now: () => number, failed: (why: string) => void) {
    this.options = options
    this.now = now
    this.failed = failed
    const unknown = options.algorithms?.find((each) => !ALGORITHMS.includes(each))
    if (unknown !== undefined) {
      throw new Error(`access.jwt.algorithms: ${unknown} is not known; it takes ${ALGORITHMS.join(', ')}`)
    }
  }

  /** The file that holds the keys; undefined: they have a URL. */
  get file(): string | undefined {
    const { keys } = this.options
    return isUrl(keys) || isPem(keys) ? undefined : keys
  }

  /** Reads the keys; those from a URL are fetched when they are needed.
   *  @throws Error naming what is wrong with the file */
  async load(): Promise<void> {
    const { keys, cacheSeconds = 600 } = this.options
    if (isUrl(keys)) {
      checkUrl('access.jwt.keys', keys)
      const { href, headers } = requestTo(keys)
      const options = { cacheMaxAge: cacheSeconds * 1000, timeoutDuration: 5_000, headers }
      this.keys ??= fetched(createRemoteJWKSet(new URL(href), options))
      return
    }
    const text = isPem(keys) ? keys : await contentsOf(keys)
    const name = isPem(keys) ? 'access.jwt.keys' : keys
    try {
      this.keys = isPem(text) ? pemKey(text) : fetched(createLocalJWKSet(JSON.parse(text) as JSONWebKeySet))
    } catch (cause) {
      throw new Error(`${name}: neither a JSON Web Key Set nor a public key in PEM`, { cause })
    }
  }

  /** Says whether a password looks like a token. */
  static isToken(password: Uint8Array | undefined): boolean {
    if (password === undefined || password.length > LONGEST) return false
    return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(Buffer.from(password).toString('latin1'))
  }

  async authenticate(clientId: string, password: Uint8Array): Promise<AuthenticationResult> {
    const { keys, options } = this
    if (keys === undefined) return { reasonCode: 0x88 }
    const { issuer, audience, toleranceSeconds = 5, algorithms = ALGORITHMS } = options
    try {
      const { payload } = await jwtVerify(Buffer.from(password).toString('latin1'), keys, {
        algorithms: [...algorithms],
        clockTolerance: toleranceSeconds,
        currentDate: new Date(this.now()),
        // A token without an end would be a password that nobody can change.
        requiredClaims: ['exp'],
        ...(issuer !== undefined && { issuer }),
        ...(audience !== undefined && { audience }),
      })
      return this.resultOf(payload, clientId)
    } catch (error) {
      return this.refusalFor(error)
    }
  }

  private resultOf(payload: JWTPayload, clientId: string): AuthenticationResult {
    const { usernameClaim = 'sub', clientIdClaim = 'client_id', aclClaim = 'acl' } = this.options
    const username = payload[usernameClaim]
    if (typeof username !== 'string' || username === '') return wrong(`it has no claim "${usernameClaim}"`)
    const pattern = payload[clientIdClaim]
    if (pattern !== undefined && !(typeof pattern === 'string' && fits(pattern, clientId))) {
      return wrong('it is for another client identifier', 0x85)
    }
    const acl = payload[aclClaim]
    const isList = Array.isArray(acl) && acl.every((rule) => typeof rule === 'string')
    if (acl !== undefined && !isList) return wrong(`its claim "${aclClaim}" is no list of rules`)
    const { toleranceSeconds = 5 } = this.options
    const validUntil = ((payload.exp ?? 0) + toleranceSeconds) * 1000
    return { reasonCode: 0, username, validUntil, ...(isList && { acl: acl as string[] }) }
  }

  private refusalFor(error: unknown): AuthenticationResult {
    if (error instanceof errors.JWTExpired) return wrong('it has expired')
    if (error instanceof errors.JWTClaimValidationFailed)
      return wrong(`its claim "${error.claim}" will not do`)
    if (error instanceof errors.JWSSignatureVerificationFailed) return wrong('its signature is wrong')
    if (error instanceof errors.JWKSNoMatchingKey) return wrong('it is signed with a key that is not known')
    if (error instanceof errors.JWKSMultipleMatchingKeys)
      return wrong('it does not say which key it is of (kid)')
    if (error instanceof errors.JOSEAlgNotAllowed) return wrong('its algorithm is not allowed')
    if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid)
      return wrong('it is malformed')
    // Its algorithm is not one of the key, or is not known at all.
    if (!(error instanceof KeysMissing)) return wrong('its key is not one for its algorithm')
    // That is not the client's fault.
    this.failed(`the keys for tokens cannot be had: ${error.message}`)
    return { reasonCode: 0x88, reasonString: 'tokens cannot be checked now' }
  }
}

/** There are no keys to check with, whatever the token. */
class KeysMissing extends Error {}

/** Tells a fault of the keys, or of the service that has them, from one of the token.
 *  @throws KeysMissing */
function fetched(keys: JWTVerifyGetKey): JWTVerifyGetKey {
  return (header, token) =>
    Promise.resolve(keys(header, token)).catch((error: unknown) => {
      if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
        throw error
      }
      if (error instanceof errors.JOSENotSupported) throw error
      throw new KeysMissing(error instanceof Error ? error.message : String(error), { cause: error })
    })
}

function wrong(why: string, reasonCode: 0x85 | 0x86 = 0x86): AuthenticationResult {
  return { reasonCode, reasonString: `the token is refused: ${why}` }
}

function isUrl(keys: string): boolean {
  return /^https?:\/\//i.test(keys)
}

function pemKey(text: string): JWTVerifyGetKey {
  const key = createPublicKey(text)
  return () => Promise.resolve(key)
}

/** Says whether an identifier matches a pattern in which `*` stands for any run of characters. */
function fits(pattern: string, clientId: string): boolean {
  const parts = pattern.split('*')
  if (parts.length === 1) return pattern === clientId
  const [first = '', last = ''] = [parts[0], parts.at(-1)]
  if (!clientId.startsWith(first)) return false
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = clientId.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return clientId.length - last.length >= at && clientId.endsWith(last)
}
