import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Broker } from '@pipit/broker'
import { connect } from '@pipit/client'
import { describe, expect, it } from 'vitest'
import { PAGE_CLIENT, pageBuild } from '../tools/browser/bundle.ts'
import { hasChromium, launch, servePages } from '../tools/browser/chromium.ts'

describe.skipIf(!hasChromium)('dashboard.html in Chromium', () => {
  it('shows the last value of each topic, and turns the light red', async () => {
    await using pages = await servePages({
      '/examples/dashboard.html': readFileSync(join(import.meta.dirname, 'dashboard.html')),
      [`/packages/client/${PAGE_CLIENT}`]: (await pageBuild()).get('client.js')!,
    })
    const broker = new Broker()
    const { port } = await broker.listen({ port: 0, host: '127.0.0.1' })
    const websocket = await broker.listenWebSocket({ port: 0, host: '127.0.0.1' })
    const sensor = await connect(`mqtt://127.0.0.1:${port}`)
    const browser = await launch()
    try {
      await sensor.publish('sensors/kitchen', '19.5', { qos: 1, retain: true })
      const control = await sensor.subscribe('sensors/esp32-s3/led/control', { qos: 1 })
      const page = await browser.newPage()
      await page.goto(`${pages.origin}/examples/dashboard.html?broker=ws://127.0.0.1:${websocket.port}/mqtt`)
      await page.locator('#state[data-state=connected]').waitFor()
      const kitchen = page.locator('tr[data-topic="sensors/kitchen"] td:nth-child(2)')
      await kitchen.filter({ hasText: '19.5' }).waitFor()
      await sensor.publish('sensors/kitchen', '<b>20.1</b>', { qos: 1 })
      await kitchen.filter({ hasText: '<b>20.1</b>' }).waitFor()

      await page.getByRole('button').click()

      const { value: command } = await control.next()
      expect(command?.json()).toEqual({ action: 'set_color', r: 255, g: 0, b: 0, w: 0 })
    } finally {
      await browser.close()
      await sensor.close({ force: true })
      await broker.close()
    }
  })
})
