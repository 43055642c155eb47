import { Script } from './script.ts'

/** Writes a little: shows whether the queue can be written. */
export const CHECK = new Script('fill', ['meta'], `redis.call('HSET', meta, 'checked', take())`)

/** The same on a Redis whose memory is full. */
export const MARK = new Script('drain', ['meta'], `redis.call('HSET', meta, 'marked', take())`)

/** → fields and values */
export const REPORTS = new Script('read', ['workers'], `return redis.call('HGETALL', workers)`)

/** name, report, now: keeps a worker's report, and forgets those that are not believed any more */
export const REPORT = new Script(
  'drain',
  ['workers'],
  `local name, report, now = take(), take(), number()
redis.call('HSET', workers, name, report)
local all = redis.call('HGETALL', workers)
for i = 1, #all, 2 do
  if cjson.decode(all[i + 1])['until'] <= now then redis.call('HDEL', workers, all[i]) end
end
`,
)
