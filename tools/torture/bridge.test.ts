import { expect, test } from 'vitest'
import { describeBridge, tortureBridge } from './bridge.ts'

test('a bridge whose processes and broker are killed loses nothing, repeats nothing at QoS 2, and stores each message once', async () => {
  const result = await tortureBridge({
    apis: 2,
    workers: 2,
    commandsPerSecond: 100,
    messagesPerSecond: 50,
    seconds: 12,
    killEveryMs: 1_500,
    brokerRestarts: 1,
  })
  expect(describeBridge(result)).toContain(
    '0 lost, 0 duplicated at QoS 2, 0 unsettled, 0 missing in the log, 0 stored twice',
  )
  expect(result.accepted).toBeGreaterThan(200)
  expect(result.kills).toBeGreaterThan(3)
}, 180_000)
