import { createHash, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { HashWorker } from './hash-worker.ts'

/** Which form a password is kept in: argon2id, Mosquitto 2's PBKDF2 (`$7$`), or Mosquitto 1's salted SHA-512 (`$6$`). */
export type PasswordForm = 'argon2id' | 'sha512-pbkdf2' | 'sha512'

/** A password as a file keeps it. */
export type PasswordHash =
  | {
      readonly form: 'argon2id'
      readonly salt: Buffer
      readonly hash: Buffer
      /** KiB. */
      readonly memory: number
      readonly passes: number
      readonly parallelism: number
    }
  | {
      readonly form: 'sha512-pbkdf2'
      readonly salt: Buffer
      readonly hash: Buffer
      readonly iterations: number
    }
  | { readonly form: 'sha512'; readonly salt: Buffer; readonly hash: Buffer }

/** What OWASP asks at least of argon2id: 19 MiB, two passes. */
const ARGON2 = { memory: 19456, passes: 2, parallelism: 1 }
const ITERATIONS = 210_000

/** Bounds of what a file may ask for: a login costs at most 1 GiB or some seconds. */
const MOST = { memory: 1 << 20, passes: 100, parallelism: 64, iterations: 10_000_000 }

/** Reads `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, `$7$iterations$salt$hash` or `$6$salt$hash`.
 *  @returns undefined for anything else */
export function parseHash(text: string): PasswordHash | undefined {
  const [empty, name, ...parts] = text.split('$')
  if (empty !== '') return undefined
  if (name === 'argon2id') return parseArgon2(parts)
  const [first = '', second = '', third = ''] = parts
  if (name === '7' && parts.length === 3) {
    const iterations = Number(first)
    const isRight = /^\d+$/.test(first) && iterations >= 1 && iterations <= MOST.iterations
    const hash = bytesOf(third)
    if (!isRight || hash?.length !== 64) return undefined
    const salt = bytesOf(second)
    return salt === undefined ? undefined : { form: 'sha512-pbkdf2', iterations, salt, hash }
  }
  if (name !== '6' || parts.length !== 2) return undefined
  const [salt, hash] = [bytesOf(first), bytesOf(second)]
  return salt === undefined || hash?.length !== 64 ? undefined : { form: 'sha512', salt, hash }
}

function parseArgon2(parts: readonly string[]): PasswordHash | undefined {
  const [version, costs = '', ...rest] = parts
  const match = /^m=(\d+),t=(\d+),p=(\d+)$/.exec(costs)
  const [salt, hash] = rest.map(bytesOf)
  if (version !== 'v=19' || match === null || rest.length !== 2) return undefined
  const [memory = 0, passes = 0, parallelism = 0] = match.slice(1).map(Number)
  if (salt === undefined || salt.length < 8 || hash === undefined || hash.length < 16) return undefined
  if (memory < 8 * parallelism || memory > MOST.memory || passes < 1 || passes > MOST.passes) return undefined
  if (parallelism < 1 || parallelism > MOST.parallelism) return undefined
  return { form: 'argon2id', memory, passes, parallelism, salt, hash }
}

/** Bytes of base64, padded or not; undefined when it is none, or empty. */
function bytesOf(text: string): Buffer | undefined {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
}

/** Hashes a password for a file, beside the event loop. */
export async function hashPassword(
  password: Uint8Array,
  form: PasswordForm = 'argon2id',
  iterations = ITERATIONS,
): Promise<string> {
  const salt = randomBytes(form === 'argon2id' ? 16 : 12)
  const base64 = (bytes: Buffer): string => bytes.toString('base64')
  if (form === 'sha512') return `$6$${base64(salt)}$${base64(await derive(password, { form, salt }, 64))}`
  if (form === 'sha512-pbkdf2') {
    return `$7$${iterations}$${base64(salt)}$${base64(await derive(password, { form, salt, iterations }, 64))}`
  }
  const hash = await derive(password, { form, salt, ...ARGON2 }, 32)
  const { memory, passes, parallelism } = ARGON2
  const unpadded = (bytes: Buffer): string => base64(bytes).replaceAll('=', '')
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(hash)}`
}

/** Says whether this is the password, in a time that does not depend on how much of it is right. */
export async function verifyPassword(password: Uint8Array, kept: PasswordHash): Promise<boolean> {
  return timingSafeEqual(await derive(password, kept, kept.hash.length), kept.hash)
}

type Recipe = PasswordHash extends infer Kept
  ? Kept extends PasswordHash
    ? Omit<Kept, 'hash'>
    : never
  : never

/** One thread for all brokers of the process, as Node's own are. */
let worker: HashWorker | undefined

async function derive(password: Uint8Array, recipe: Recipe, length: number): Promise<Buffer> {
  const { salt } = recipe
  switch (recipe.form) {
    case 'sha512':
      return createHash('sha512').update(password).update(salt).digest()
    case 'sha512-pbkdf2':
      return promisify(pbkdf2)(password, salt, recipe.iterations, length, 'sha512')
    case 'argon2id': {
      const { memory, passes, parallelism } = recipe
      const parameters = { message: password, nonce: salt, tagLength: length, memory, passes, parallelism }
      worker ??= new HashWorker()
      return worker.hash(parameters)
    }
  }
}
