import { AuthenticationError, type Authenticator } from './authenticator.ts'

export interface ScramOptions {
  readonly username: string
  readonly password: string
  /** The fewest PBKDF2 rounds that a server may ask for; default 4096. */
  readonly minimumIterations?: number
}

/** A server that asks for more rounds wants to keep us busy. */
const MAXIMUM_ITERATIONS = 10_000_000

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding: the password never leaves the client,
 *  and the server proves that it knows it too.
 *  @throws AuthenticationError through the connection, when the server's proof is wrong or missing */
export function scramSha256(options: ScramOptions): Authenticator {
  return new ScramSha256(options)
}

class ScramSha256 implements Authenticator {
  readonly method = 'SCRAM-SHA-256'
  private readonly options: ScramOptions
  private nonce = ''
  private firstBare = ''
  private expected: string | undefined = undefined
  private proven = false

  constructor(options: ScramOptions) {
    this.options = options
  }

  start(): Uint8Array {
    this.nonce = base64(crypto.getRandomValues(new Uint8Array(18)))
    const name = this.options.username.normalize('NFKC').replace(/=/g, '=3D').replace(/,/g, '=2C')
    this.firstBare = `n=${name},r=${this.nonce}`
    this.expected = undefined
    this.proven = false
    return encoder.encode(`n,,${this.firstBare}`)
  }

  async continue(data: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.expected !== undefined) {
      this.verify(data)
      return undefined
    }
    return this.prove(decoder.decode(data))
  }

  finish(data: Uint8Array | undefined): void {
    if (data !== undefined && data.length > 0 && !this.proven) this.verify(data)
    if (!this.proven)
      throw new AuthenticationError('SCRAM: the server accepted without proving that it knows us')
  }

  private async prove(serverFirst: string): Promise<Uint8Array> {
    const fields = attributes(serverFirst)
    const { r: nonce, s: salt, i: iterations } = fields
    if (nonce === undefined || salt === undefined || iterations === undefined) {
      throw new AuthenticationError('SCRAM: the server sent no nonce, salt or iteration count')
    }
    if (!nonce.startsWith(this.nonce) || nonce.length === this.nonce.length) {
      throw new AuthenticationError('SCRAM: the server answers to another nonce')
    }
    const rounds = Number(iterations)
    const least = this.options.minimumIterations ?? 4096
    if (!Number.isInteger(rounds) || rounds < least || rounds > MAXIMUM_ITERATIONS) {
      throw new AuthenticationError(
        `SCRAM: ${iterations} iterations; ${least} to ${MAXIMUM_ITERATIONS} are accepted`,
      )
    }
    const salted = await saltedPassword(this.options.password.normalize('NFKC'), fromBase64(salt), rounds)
    const withoutProof = `c=biws,r=${nonce}`
    const authMessage = encoder.encode(`${this.firstBare},${serverFirst},${withoutProof}`)
    const clientKey = await hmac(salted, encoder.encode('Client Key'))
    const storedKey = new Uint8Array(await crypto.subtle.digest('SHA-256', clientKey))
    const signature = await hmac(storedKey, authMessage)
    const proof = clientKey.map((byte, i) => byte ^ signature[i]!)
    this.expected = base64(await hmac(await hmac(salted, encoder.encode('Server Key')), authMessage))
    return encoder.encode(`${withoutProof},p=${base64(proof)}`)
  }

  private verify(data: Uint8Array): void {
    const { v: verifier, e: error } = attributes(decoder.decode(data))
    if (error !== undefined) throw new AuthenticationError(`SCRAM: the server says ${error}`)
    if (this.expected === undefined || verifier !== this.expected) {
      throw new AuthenticationError('SCRAM: the server does not know the password: its signature is wrong')
    }
    this.proven = true
  }
}

function attributes(text: string): Partial<Record<string, string>> {
  const found: Partial<Record<string, string>> = {}
  for (const part of text.split(',')) if (part[1] === '=') found[part[0]!] = part.slice(2)
  return found
}

type Bytes = Uint8Array<ArrayBuffer>

async function saltedPassword(password: string, salt: Bytes, iterations: number): Promise<Bytes> {
  const key = await crypto.subtle.importKey('raw', encoder.encode(password), 'PBKDF2', false, ['deriveBits'])
  return new Uint8Array(
    await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations }, key, 256),
  )
}

async function hmac(secret: Bytes, data: Bytes): Promise<Bytes> {
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, data))
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

function fromBase64(text: string): Bytes {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch (error) {
    throw new AuthenticationError('SCRAM: the salt is not base64', error)
  }
}
