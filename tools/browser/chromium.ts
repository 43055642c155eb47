// Debian's Chromium for tests: pages from a folder of answers in memory, served on 127.0.0.1.
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Browser, chromium } from 'playwright-core'

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path))

/** Where it is not installed, suites that need it are skipped by name. */
export const hasChromium = executablePath !== undefined

const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts it without a window, with a fresh profile. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath, headless: true, args: QUIET })
}

export interface PageServer extends AsyncDisposable {
  /** Such as http://127.0.0.1:41234 */
  readonly origin: string
}

/** Serves files by path; `/` is an HTML page. */
export async function servePages(files: Readonly<Record<string, string | Uint8Array>>): Promise<PageServer> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://page').pathname
    const file = files[path]
    const type = path.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8'
    if (file === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-type': type }).end(file)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
