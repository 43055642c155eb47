import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Poster } from './poster.ts'

async function receiver(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

function newPoster(options: { isInsideAllowed?: boolean; timeoutMs?: number } = {}): Poster {
  const poster = new Poster({ isInsideAllowed: true, timeoutMs: 20_000, ...options })
  onTestFinished(() => poster.close())
  return poster
}

const life = new AbortController().signal

describe('post()', () => {
  test('sends body and headers over one connection, and reads the status', async () => {
    const seen: string[] = []
    const ports = new Set<number | undefined>()
    const url = await receiver(async (request, response) => {
      ports.add(request.socket.remotePort)
      let body = ''
      for await (const part of request) body += part
      seen.push(`${request.method} ${request.headers['x-a']} ${body}`)
      response.writeHead(seen.length === 1 ? 204 : 503).end('no')
    })
    const poster = newPoster()
    expect(await poster.post(url, 'ü', { 'x-a': '1' }, life)).toBeUndefined()
    expect(await poster.post(url, '', { 'x-a': '2' }, life)).toBe('the answer was 503')
    expect(seen).toEqual(['POST 1 ü', 'POST 2 '])
    expect(ports.size).toBe(1)
  })

  test('does not read an answer without end', async () => {
    const url = await receiver((_, response) => {
      response.writeHead(200)
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', more)
      more()
    })
    expect(await newPoster().post(url, '', {}, life)).toBeUndefined()
  })

  test('gives up who says nothing, and says what else went wrong', async () => {
    const url = await receiver(() => {})
    expect(await newPoster({ timeoutMs: 20 }).post(url, '', {}, life)).toBe('no answer within 20 ms')
    const cut = await receiver((request) => request.socket.destroy())
    expect(await newPoster().post(cut, '', {}, life)).toContain('socket hang up')
    expect(await newPoster().post('http://127.0.0.1:1/', '', {}, life)).toContain('ECONNREFUSED')
  })

  test('connects to nothing inside unless it may', async () => {
    let asked = 0
    const url = await receiver((_, response) => {
      asked++
      response.end()
    })
    const outside = newPoster({ isInsideAllowed: false })
    expect(await outside.post(url, '', {}, life)).toContain('127.0.0.1 is inside')
    expect(await outside.post(url.replace('127.0.0.1', 'localhost'), '', {}, life)).toContain('is inside')
    expect(asked).toBe(0)
  })
})
