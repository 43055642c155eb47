import { createHmac, randomBytes } from 'node:crypto'
import type { HttpAccessOptions } from './access-options.ts'
import type { AclSubject } from './acl.ts'
import type { AuthenticationResult, ConnectRequest } from './authenticate.ts'
import { checkUrl, requestTo } from './url.ts'

/** Answers that are remembered. */
const KEPT = 10_000

/** The longest answer that is read, bytes. */
const LONGEST_ANSWER = 65_536

/** What the service said: `no`, or yes with what it added. */
type Answer = 'no' | { readonly username?: string; readonly acl?: readonly string[] }

interface Remembered {
  readonly answer: Answer
  readonly until: number
}

/** Asks a service who may come in, and what for. */
export class HttpAccess {
  /** True when the service says what a client may do. */
  readonly decides: boolean
  private readonly options: HttpAccessOptions
  private readonly now: () => number
  private readonly failed: (why: string) => void
  private known = new Map<string, Remembered>()
  private asked = new Map<string, Promise<Answer>>()
  /** What is remembered by is made with this, so that no password is. */
  private readonly key = randomBytes(32)

  constructor(options: HttpAccessOptions, now: () => number, failed: (why: string) => void) {
    this.options = options
    this.now = now
    this.failed = failed
    this.decides = options.aclUrl !== undefined
    for (const url of [options.url, options.aclUrl]) if (url !== undefined) checkUrl('access.http', url)
  }

  async authenticate(request: ConnectRequest): Promise<AuthenticationResult> {
    const { clientId, username, password, remoteAddress } = request
    const text = password === undefined ? undefined : Buffer.from(password).toString()
    try {
      const said = { clientId, username, password: text, remoteAddress }
      // The port changes with each connection, and says nothing about who it is.
      const about = JSON.stringify({ ...said, remoteAddress: undefined })
      const answer = await this.answer(this.options.url, said, about)
      if (answer === 'no') return { reasonCode: 0x86 }
      const name = answer.username ?? username
      return {
        reasonCode: 0,
        ...(name !== undefined && { username: name }),
        ...(answer.acl !== undefined && { acl: answer.acl }),
      }
    } catch (error) {
      this.failed((error as Error).message)
      return { reasonCode: 0x88, reasonString: 'the service that knows the users does not answer' }
    }
  }

  async authorize(subject: AclSubject, access: 'publish' | 'subscribe', topic: string): Promise<boolean> {
    const { clientId, username } = subject
    const said = { clientId, username, access, topic }
    try {
      return (await this.answer(this.options.aclUrl ?? '', said, JSON.stringify(said))) !== 'no'
    } catch (error) {
      this.failed((error as Error).message)
      return false
    }
  }

  /** What was said is forgotten, and what is being said counts only for who has asked. */
  forget(): void {
    this.known = new Map()
    this.asked = new Map()
  }

  private answer(url: string, said: object, about: string): Promise<Answer> {
    const { cacheSeconds = 30 } = this.options
    const key = createHmac('sha256', this.key).update(`${url}\n${about}`).digest('base64')
    const { known, asked } = this
    const before = known.get(key)
    if (before !== undefined && before.until > this.now()) return Promise.resolve(before.answer)
    const answering = asked.get(key) ?? this.ask(url, said).finally(() => asked.delete(key))
    asked.set(key, answering)
    return answering.then((answer) => {
      if (cacheSeconds > 0) keep(known, key, { answer, until: this.now() + cacheSeconds * 1000 })
      return answer
    })
  }

  private async ask(url: string, said: object): Promise<Answer> {
    const { href, headers } = requestTo(url)
    const response = await fetch(href, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(said),
      redirect: 'error',
      signal: AbortSignal.timeout(this.options.timeoutMs ?? 5_000),
    }).catch((error: Error) => {
      throw new Error(
        `${new URL(url).host} does not answer: ${error.name === 'TimeoutError' ? 'no answer in time' : causeOf(error)}`,
      )
    })
    if (response.status === 401 || response.status === 403) {
      await response.body?.cancel()
      return 'no'
    }
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new Error(`${new URL(url).host} answers with ${response.status}; it takes 200, 401 or 403`)
    }
    return parseAnswer(await textOf(response), new URL(url).host)
  }
}

function keep(known: Map<string, Remembered>, key: string, remembered: Remembered): void {
  known.delete(key)
  known.set(key, remembered)
  if (known.size > KEPT) known.delete(known.keys().next().value ?? '')
}

function causeOf(error: Error): string {
  const { cause } = error
  return cause instanceof Error ? cause.message : error.message
}

async function textOf(response: Response): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > LONGEST_ANSWER) throw new Error('an answer that is too long')
  }
  return text
}

/** @throws Error for an answer that is neither empty nor the JSON that is asked for */
function parseAnswer(text: string, host: string): Answer {
  if (text.trim() === '') return {}
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch {
    // `ok`, as many services answer.
    return {}
  }
  if (typeof said !== 'object' || said === null) return {}
  const { username, acl } = said as { username?: unknown; acl?: unknown }
  if (username !== undefined && typeof username !== 'string') throw new Error(`${host}: username is no text`)
  const isList = Array.isArray(acl) && acl.every((rule) => typeof rule === 'string')
  if (acl !== undefined && !isList) throw new Error(`${host}: acl is no list of texts`)
  return { ...(username !== undefined && { username }), ...(isList && { acl: acl as string[] }) }
}
