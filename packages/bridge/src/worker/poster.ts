import { Agent as HttpAgent, type RequestOptions, request } from 'node:http'
import { Agent as HttpsAgent, request as requestSecure } from 'node:https'
import { insideError, isInsideHost, lookupOutside } from './inside.ts'

export interface PosterOptions {
  /** Addresses of this machine and of private networks too. */
  readonly isInsideAllowed: boolean
  /** How long a URL may take to answer. */
  readonly timeoutMs: number
}

/** Of an answer, which nobody reads, before the connection is given up. */
const ANSWER_BYTES = 65_536

/** Posts to URLs that others have given. Redirections are not followed. */
export class Poster {
  private readonly options: PosterOptions
  private readonly agents = {
    'http:': new HttpAgent({ keepAlive: true }),
    'https:': new HttpsAgent({ keepAlive: true }),
  }

  constructor(options: PosterOptions) {
    this.options = options
  }

  /** @returns why it was not taken; undefined when it was */
  async post(
    url: string,
    body: string,
    headers: Readonly<Record<string, string>>,
    life: AbortSignal,
  ): Promise<string | undefined> {
    const { timeoutMs } = this.options
    const late = AbortSignal.timeout(timeoutMs)
    try {
      const status = await this.send(new URL(url), body, headers, AbortSignal.any([life, late]))
      return status >= 200 && status < 300 ? undefined : `the answer was ${status}`
    } catch (error) {
      if (late.aborted) return `no answer within ${timeoutMs} ms`
      return messageOf(error)
    }
  }

  close(): void {
    for (const agent of Object.values(this.agents)) agent.destroy()
  }

  /** @returns the status */
  private send(
    url: URL,
    body: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<number> {
    const { isInsideAllowed } = this.options
    if (!isInsideAllowed && isInsideHost(url.hostname)) throw insideError(url.hostname)
    const isSecure = url.protocol === 'https:'
    const options: RequestOptions = {
      method: 'POST',
      signal,
      agent: this.agents[isSecure ? 'https:' : 'http:'],
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      ...(isInsideAllowed ? {} : { lookup: lookupOutside }),
    }
    return new Promise((resolve, reject) => {
      const asking = (isSecure ? requestSecure : request)(url, options, (response) => {
        let bytes = 0
        response.on('data', (part: Buffer) => {
          bytes += part.length
          if (bytes > ANSWER_BYTES) response.destroy()
        })
        response.on('error', () => {})
        response.on('close', () => resolve(response.statusCode ?? 0))
      })
      asking.on('error', reject)
      asking.end(body)
    })
  }
}

/** Several addresses of one name that all refuse come as an error without words. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
