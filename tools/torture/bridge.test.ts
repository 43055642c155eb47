import { describe, expect, test } from 'vitest'
import { describeBridge, tortureBridge } from './bridge.ts'
import type { QUEUES } from './bridge-queue.ts'
import { hasPostgres } from './postgres.ts'
import { redisPrograms } from './redis.ts'

const NAME =
  'a bridge whose processes and broker are killed loses nothing, repeats nothing at QoS 2, and stores each message once'

test(NAME, () => torture('embedded'), 180_000)

describe.skipIf(redisPrograms.length === 0)('with its queue on Redis, which is killed too', () => {
  test(NAME, () => torture('redis'), 180_000)
})

describe.skipIf(!hasPostgres)('with its messages in PostgreSQL, which is killed too', () => {
  test(NAME, () => torture('postgres'), 180_000)
})

async function torture(queue: keyof typeof QUEUES): Promise<void> {
  const result = await tortureBridge({
    apis: 2,
    workers: 2,
    commandsPerSecond: 100,
    messagesPerSecond: 50,
    seconds: 12,
    killEveryMs: 1_500,
    brokerRestarts: 1,
    queue,
    queueRestarts: 2,
  })
  expect(describeBridge(result)).toContain(
    '0 lost, 0 duplicated at QoS 2, 0 unsettled, 0 missing in the log, 0 stored twice',
  )
  expect(result.accepted).toBeGreaterThan(200)
  expect(result.kills).toBeGreaterThan(3)
}
