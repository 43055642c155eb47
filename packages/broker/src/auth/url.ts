/** A service's URL, as it is asked for. */
export interface ServiceRequest {
  /** Without user and password: `fetch` takes none, and says so with all of it. */
  readonly href: string
  /** What user and password become. */
  readonly headers: Readonly<Record<string, string>>
}

export function requestTo(text: string): ServiceRequest {
  const url = new URL(text)
  const { username, password } = url
  url.username = url.password = ''
  if (username === '' && password === '') return { href: url.href, headers: {} }
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { href: url.href, headers: { authorization: `Basic ${Buffer.from(login).toString('base64')}` } }
}

/** @param option that names the URL, for complaints
 *  @throws Error without what may be a password in it */
export function checkUrl(option: string, text: string): void {
  const protocol = URL.canParse(text) ? new URL(text).protocol : ''
  if (protocol === 'http:' || protocol === 'https:') return
  const shown = text.replace(/^([a-z][a-z0-9+.-]*:\/+)?.*@/is, '$1…@')
  throw new Error(`${option}: ${JSON.stringify(shown)} is no URL; it takes one with http: or https:`)
}
