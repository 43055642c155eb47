/** A field of a request that is wrong. */
export interface FieldFault {
  /** JSON pointer into the body, or the name of the parameter or header. */
  readonly field: string
  readonly message: string
}

export interface ProblemOptions {
  readonly fields?: readonly FieldFault[]
  /** Seconds. */
  readonly retryAfter?: number
  /** The methods that there are. */
  readonly allow?: readonly string[]
}

export const TITLES: Readonly<Record<number, string>> = {
  400: 'The request is not valid',
  401: 'Who asks is not known',
  403: 'Not allowed',
  404: 'There is no such thing',
  405: 'The method is not for this',
  408: 'The request took too long',
  409: 'The request contradicts an earlier one',
  413: 'The body is too large',
  415: 'The body is not JSON',
  429: 'Too many requests',
  431: 'The headers are too large',
  500: 'Something is wrong in here',
  501: 'The broker cannot do this',
  502: 'The broker refused',
  503: 'Not now',
  504: 'No answer in time',
}

/** An answer that says what was wrong, as application/problem+json. @see RFC 9457 */
export class Problem extends Error {
  readonly status: number
  readonly fields: readonly FieldFault[]
  readonly retryAfter: number | undefined
  readonly allow: readonly string[] | undefined

  constructor(status: number, detail: string, { fields = [], retryAfter, allow }: ProblemOptions = {}) {
    super(detail)
    this.status = status
    this.fields = fields
    this.retryAfter = retryAfter
    this.allow = allow
  }

  /** One field that is wrong. */
  static field(field: string, message: string, status = 400): Problem {
    return new Problem(status, `${field}: ${message}`, { fields: [{ field, message }] })
  }

  body(): object {
    const { status, message: detail, fields } = this
    const title = TITLES[status] ?? 'The request failed'
    return { type: 'about:blank', title, status, detail, ...(fields.length === 0 ? {} : { errors: fields }) }
  }
}
