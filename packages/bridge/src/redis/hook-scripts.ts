import { DEAD_LETTERS_KEPT } from '../engine/hooks.ts'
import { Script } from './script.ts'
import { LEASES } from './session-scripts.ts'

/** id, hook: it begins behind the newest message */
export const ADD_HOOK = new Script(
  'fill',
  ['hooks', 'progress', 'meta'],
  `local id, hook = take(), take()
redis.call('HSET', hooks, id, hook)
redis.call('HSET', progress, id, (redis.call('HGET', meta, 'message') or '0') .. ' 0 0')
`,
)

/** → hooks and how far they have come, as fields and values */
export const LIST_HOOKS = new Script(
  'read',
  ['hooks', 'progress'],
  `return { redis.call('HGETALL', hooks), redis.call('HGETALL', progress) }`,
)

/** id, owner → whether it was there */
export const REMOVE_HOOK = new Script(
  'drain',
  ['hooks', 'progress', 'dead'],
  `local id, owner = take(), take()
local hook = redis.call('HGET', hooks, id)
if not hook or cjson.decode(hook).owner ~= owner then return 0 end
redis.call('HDEL', hooks, id)
redis.call('HDEL', progress, id)
redis.call('DEL', dead)
return 1
`,
)

/** session, epoch, generation, id, progress, dead letter or `` */
export const ADVANCE = new Script(
  'drain',
  ['sessions', 'hooks', 'progress', 'dead'],
  `${LEASES}
local refused = refusal(take(), number(), number())
if refused then return refused end
local id, reached, letter = take(), take(), take()
if redis.call('HEXISTS', hooks, id) == 0 then return end
redis.call('HSET', progress, id, reached)
if letter ~= '' then
  redis.call('LPUSH', dead, letter)
  redis.call('LTRIM', dead, 0, ${DEAD_LETTERS_KEPT - 1})
end
`,
)
