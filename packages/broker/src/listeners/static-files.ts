import { constants } from 'node:fs'
import { type FileHandle, lstat, open, realpath, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** By extension; anything else is bytes. */
const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  gif: 'image/gif',
  htm: 'text/html; charset=utf-8',
  html: 'text/html; charset=utf-8',
  ico: 'image/vnd.microsoft.icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  map: 'application/json',
  md: 'text/markdown; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  mp3: 'audio/mpeg',
  mp4: 'video/mp4',
  otf: 'font/otf',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  ttf: 'font/ttf',
  txt: 'text/plain; charset=utf-8',
  wasm: 'application/wasm',
  wav: 'audio/wav',
  webm: 'video/webm',
  webmanifest: 'application/manifest+json',
  webp: 'image/webp',
  woff: 'font/woff',
  woff2: 'font/woff2',
  xml: 'application/xml',
}

/** What is there for a path. */
type Found =
  | { readonly kind: 'file'; readonly file: FileHandle; readonly type: string }
  | { readonly kind: 'folder'; readonly location: string }
  | { readonly kind: 'nothing' }

const NOTHING: Found = { kind: 'nothing' }

/** Gives browsers the files of one folder: GET and HEAD, and nothing else. What a path leads to has to be in the
 *  folder, with links followed. Names that begin with a dot are not there. */
export class StaticFiles {
  private readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  /** @throws Error naming the folder when there is none */
  static async open(folder: string): Promise<StaticFiles> {
    const real = await realpath(folder).catch((cause: unknown) => {
      throw new Error(`httpFolder ${folder}: there is no such folder`, { cause })
    })
    if (!(await stat(real)).isDirectory()) throw new Error(`httpFolder ${folder} is no folder`)
    return new StaticFiles(real)
  }

  /** Answers one request; its connection ends with the answer. Settles when it is out, or its reader has gone. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // What is sent along is not wanted.
    request.resume()
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD') {
      return say(response, 405, 'This server gives files: GET and HEAD.', { Allow: 'GET, HEAD' })
    }
    const segments = segmentsOf(request.url ?? '')
    if (segments === undefined) return say(response, 400, 'This is no path.')
    const found = await this.find(segments)
    if (found.kind === 'nothing') return say(response, 404, 'There is nothing here.')
    if (found.kind === 'folder') {
      return say(response, 301, 'It is a folder.', { Location: found.location })
    }
    await send(found, method, response)
  }

  private async find(segments: readonly string[]): Promise<Found> {
    if (segments.some((name) => name.startsWith('.'))) return NOTHING
    const isFolder = segments.at(-1) === ''
    const names = isFolder ? [...segments.slice(0, -1), 'index.html'] : segments
    try {
      const path = await realpath(join(this.folder, ...names))
      if (!path.startsWith(this.folder.endsWith(sep) ? this.folder : this.folder + sep)) return NOTHING
      const kind = await lstat(path)
      if (kind.isDirectory() && !isFolder) {
        return { kind: 'folder', location: `/${names.map(encodeURIComponent).join('/')}/` }
      }
      if (!kind.isFile()) return NOTHING
      // It may have become a pipe in between: opening one that nobody writes to would never end.
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
      const type = TYPES[extname(path).slice(1).toLowerCase()] ?? 'application/octet-stream'
      return { kind: 'file', file, type }
    } catch {
      return NOTHING // not there, or not for this user
    }
  }
}

/** The names in the path of a URL, the last one empty when it ends with a slash; undefined: it is no path. */
function segmentsOf(url: string): string[] | undefined {
  const [path = ''] = url.split(/[?#]/, 1)
  if (!path.startsWith('/')) return undefined
  try {
    const names = path.split('/').slice(1).map(decodeURIComponent)
    // Empty names in between are none: `//x` is `/x`, and never another server.
    const kept = names.filter((name, i) => name !== '' || i === names.length - 1)
    return kept.some((name) => /[/\\\0]/.test(name)) ? undefined : kept
  } catch {
    return undefined // a percent sign that begins nothing
  }
}

async function send(
  { file, type }: Extract<Found, { kind: 'file' }>,
  method: 'GET' | 'HEAD',
  response: ServerResponse,
): Promise<void> {
  try {
    const { size, mtime } = await file.stat()
    response.writeHead(200, {
      Connection: 'close',
      'Content-Type': type,
      'Content-Length': size,
      'Last-Modified': mtime.toUTCString(),
      'X-Content-Type-Options': 'nosniff',
    })
    if (method === 'HEAD' || size === 0) return void response.end()
    // No more than was announced: the file may grow meanwhile.
    await pipeline(file.createReadStream({ end: size - 1, autoClose: false }), response)
  } catch {
    response.destroy() // the reader has gone, or the file cannot be read to its end
  } finally {
    await file.close()
  }
}

function say(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    Connection: 'close',
    'Content-Type': 'text/plain; charset=utf-8',
    ...headers,
  })
  response.end(`${text}\n`)
}
