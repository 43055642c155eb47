import { createHash } from 'node:crypto'
import { matches, topicFilterFault } from '@pipit/protocol'
import { createRemoteJWKSet, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose'
import { Problem } from './problem.ts'

export interface RateLimit {
  /** Requests in a second, over time. */
  readonly perSecond: number
  /** How many may come at once. Default: as many as in a second. */
  readonly burst?: number
}

/** What somebody may do. */
export interface Grant {
  /** Topic Filters of what may be published. */
  readonly publish: readonly string[]
  /** Topic Filters of what may be read. */
  readonly subscribe: readonly string[]
  /** May have webhooks. Default: yes. */
  readonly hooks?: boolean
  readonly rate?: RateLimit
}

/** A key, as it is configured: itself, or its SHA-256 in hexadecimal. */
export interface ApiKey extends Grant {
  readonly name: string
  readonly key?: string
  readonly sha256?: string
}

export interface JwtOptions {
  /** A shared secret (HS256), or the address of a JWKS. */
  readonly secret?: string
  readonly jwks?: string
  readonly issuer?: string
  readonly audience?: string
}

/** Who asks, and what they may do. */
export interface Caller extends Grant {
  readonly name: string
}

const EVERYBODY: Caller = { name: 'everybody', publish: ['#'], subscribe: ['#'] }

/** Finds out who asks: by an API key, or by a JWT whose claim `pipit` says what its bearer may do. */
export class Access {
  private readonly keys: ReadonlyMap<string, Caller>
  private readonly jwt: ((token: string) => Promise<JWTPayload>) | undefined
  private readonly isOpen: boolean

  /** @throws TypeError naming the key that is not right */
  constructor(keys: readonly ApiKey[] | undefined, jwt: JwtOptions | undefined) {
    this.keys = new Map((keys ?? []).map((key) => [digestOf(checked(key)), callerOf(key)]))
    this.jwt = jwt === undefined ? undefined : verifier(jwt)
    this.isOpen = keys === undefined && jwt === undefined
  }

  /** Needs no waiting: everybody, or a key. @returns undefined when a token has to be verified first */
  known(token: string | undefined): Caller | undefined {
    if (this.isOpen) return EVERYBODY
    if (token === undefined) throw new Problem(401, 'an API key is needed: Authorization: Bearer KEY')
    const caller = this.keys.get(sha256(token))
    if (caller === undefined && this.jwt === undefined) throw new Problem(401, 'there is no such API key')
    return caller
  }

  /** @throws Problem 401 */
  async verified(token: string): Promise<Caller> {
    try {
      const payload = await this.jwt?.(token)
      if (payload !== undefined) return callerOfClaims(payload)
    } catch (error) {
      if (error instanceof Problem) throw error
      throw new Problem(401, `the token is not valid: ${(error as Error).message}`)
    }
    throw new Problem(401, 'there is no such API key')
  }
}

/** @throws Problem 403 naming the field */
export function mayPublish(caller: Caller, topic: string, field: string): void {
  if (caller.publish.some((filter) => matches(filter, topic))) return
  throw Problem.field(field, `${caller.name} may not publish to ${topic}`, 403)
}

/** @throws Problem 403 naming the field */
export function mayRead(caller: Caller, filter: string, field: string): void {
  if (caller.subscribe.some((allowed) => covers(allowed, filter))) return
  throw Problem.field(field, `${caller.name} may not read all of ${filter}`, 403)
}

/** Says whether every topic that a filter matches is matched by what is allowed. */
export function covers(allowed: string, filter: string): boolean {
  const [a, b] = [allowed.split('/'), filter.split('/')]
  // What begins with $ is matched by no wildcard.
  if (filter.startsWith('$') && (a[0] === '#' || a[0] === '+')) return false
  for (let i = 0; ; i++) {
    if (a[i] === '#') return true
    // `a/#` matches `a` as well, which `a/+` does not.
    if (a[i] === undefined || b[i] === undefined) return a[i] === b[i]
    if (b[i] === '#' || (a[i] !== '+' && a[i] !== b[i])) return false
  }
}

function callerOf({ name, publish, subscribe, hooks, rate }: ApiKey): Caller {
  return { name, publish, subscribe, hooks, rate }
}

function callerOfClaims(payload: JWTPayload): Caller {
  const claim = payload['pipit'] as { publish?: unknown; subscribe?: unknown; hooks?: unknown } | undefined
  if (payload.sub === undefined) throw new Problem(401, 'the token has no "sub"')
  if (payload.sub.includes('\0')) throw new Problem(401, 'the "sub" of the token holds U+0000')
  const caller = {
    name: payload.sub,
    publish: filtersOf(claim?.publish),
    subscribe: filtersOf(claim?.subscribe),
    hooks: claim?.hooks === true,
  }
  return caller
}

function filtersOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

function verifier({ secret, jwks, issuer, audience }: JwtOptions): (token: string) => Promise<JWTPayload> {
  const options: JWTVerifyOptions = { issuer, audience, requiredClaims: ['exp'] }
  if (secret !== undefined) {
    const key = new TextEncoder().encode(secret)
    return async (token) => (await jwtVerify(token, key, { ...options, algorithms: ['HS256'] })).payload
  }
  if (jwks === undefined) throw new TypeError('jwt needs "secret" or "jwks"')
  const set = createRemoteJWKSet(new URL(jwks))
  return async (token) => (await jwtVerify(token, set, options)).payload
}

function checked(key: ApiKey): ApiKey {
  const where = `the API key ${JSON.stringify(key.name)}`
  if (typeof key.name !== 'string' || key.name === '') throw new TypeError('an API key needs a "name"')
  if (typeof key.key !== 'string' && !/^[0-9a-f]{64}$/i.test(key.sha256 ?? '')) {
    throw new TypeError(`${where} needs "key", or "sha256" with 64 hexadecimal digits`)
  }
  for (const part of ['publish', 'subscribe'] as const) {
    if (!Array.isArray(key[part])) throw new TypeError(`${where} needs "${part}", a list of Topic Filters`)
    for (const filter of key[part]) {
      const fault = topicFilterFault(filter)
      if (fault !== undefined) throw new TypeError(`${where}: ${JSON.stringify(filter)}: ${fault}`)
    }
  }
  return key
}

function digestOf({ key, sha256: digest }: ApiKey): string {
  return key === undefined ? (digest ?? '').toLowerCase() : sha256(key)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
