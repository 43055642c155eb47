import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { HttpAccess } from '../src/auth/http-access.ts'

test('an answer that was on its way when all was forgotten is not remembered', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const http = new HttpAccess({ url, aclUrl: url }, Date.now, () => undefined)
  const subject = { clientId: 'c', username: 'u' }
  const ask = (): Promise<boolean> => http.authorize(subject, 'publish', 't')
  const asked = async (): Promise<ServerResponse> => {
    const [, response] = (await once(server, 'request')) as [unknown, ServerResponse]
    return response
  }
  const [before, one] = [asked(), ask()]
  const old = await before
  http.forget()
  // The service has other rules now: who asks again does not get the answer to the first question.
  const [after, two] = [asked(), ask()]
  old.writeHead(200).end()
  expect(await one).toBe(true)
  const fresh = await Promise.race([after, two])
  expect(fresh).not.toBe(true)
  ;(await after).writeHead(403).end()
  expect(await two).toBe(false)
  expect(await ask()).toBe(false)
})
