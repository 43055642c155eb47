import type { Socket } from 'node:net'
import { Problem } from './problem.ts'

const STATUSES: Readonly<Record<string, readonly [status: number, line: string, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large', 'the headers have over 16384 bytes'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout', 'the request did not come to its end in time'],
}
const MALFORMED = [400, 'Bad Request', 'this is no HTTP request'] as const

const LINGER_MS = 1_000

/** Answers what is no request that could be looked at, and ends its connection. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, line, detail] = STATUSES[error.code ?? ''] ?? MALFORMED
  const body = JSON.stringify(new Problem(status, detail).body())
  const headers = `content-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}`
  // Who goes on sending has time to read the answer; who does not close its end is not waited for.
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.resume().once('close', () => clearTimeout(timer))
  socket.end(`HTTP/1.1 ${status} ${line}\r\n${headers}\r\nconnection: close\r\n\r\n${body}`)
}
