import { Script } from './script.ts'
import { CHANGES, LEASES } from './session-scripts.ts'

/** Where a command stands, and how it goes from one place to another.
 *
 *  A command that is due is an entry of the stream; when a worker has it, the entry is pending under its session's
 *  name. Else it waits in a sorted set for its time, or, having an order key, behind the head of that key. */
const COMMANDS = `
local SEQ, STATE, ATTEMPTS, UPDATED, OWNER_OF, ORDER, NOT_BEFORE, EXPIRES, ENTRY, SESSION, CODE, REASON =
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
local QUEUED, SENT, EXPIRED, CANCELLED = 0, 1, 4, 5
local GROUP = 'workers'

local function load(id)
  local packed = redis.call('HGET', states, id)
  return packed and cmsgpack.unpack(packed)
end
local function save(id, c) redis.call('HSET', states, id, cmsgpack.pack(c)) end
local function move(c, to)
  redis.call('HINCRBY', counts, c[STATE], -1)
  redis.call('HINCRBY', counts, to, 1)
  c[STATE] = to
end
local function group()
  if redis.call('EXISTS', stream) == 0 then redis.call('XGROUP', 'CREATE', stream, GROUP, '0', 'MKSTREAM') end
end
local function enqueue(id, c, now)
  c[ENTRY] = ''
  if c[NOT_BEFORE] > now then
    redis.call('ZADD', waiting, c[NOT_BEFORE], id)
    return
  end
  group()
  c[ENTRY] = string.format('%.0f-0', redis.call('HINCRBY', meta, 'entry', 1))
  redis.call('XADD', stream, c[ENTRY], 'id', id)
end
-- Out of the stream, whether a worker has it or not.
local function withdraw(id, c)
  if c[ENTRY] == '' then
    redis.call('ZREM', waiting, id)
  else
    redis.call('XACK', stream, GROUP, c[ENTRY])
    redis.call('XDEL', stream, c[ENTRY])
    c[ENTRY] = ''
  end
end
local function again(id, c, now)
  withdraw(id, c)
  move(c, QUEUED)
  c[UPDATED], c[SESSION] = now, ''
  if c[EXPIRES] > 0 then redis.call('ZADD', expiring, c[EXPIRES], id) end
  enqueue(id, c, now)
  save(id, c)
end
local function follower(id, c) return string.format('%s%016.0f%s', redis.sha1hex(c[ORDER]), c[SEQ], id) end
-- A head is over: the next of its key has its turn. Returns whether there is one.
local function succeed(id, c, now)
  if redis.call('HGET', heads, c[ORDER]) ~= id then
    redis.call('ZREM', followers, follower(id, c))
    return false
  end
  local prefix = redis.sha1hex(c[ORDER])
  local found = redis.call('ZRANGEBYLEX', followers, '[' .. prefix, '(' .. prefix .. ':', 'LIMIT', 0, 1)[1]
  if not found then
    redis.call('HDEL', heads, c[ORDER])
    return false
  end
  local nextId = string.sub(found, 57)
  local nextOne = load(nextId)
  redis.call('ZREM', followers, found)
  redis.call('HSET', heads, c[ORDER], nextId)
  enqueue(nextId, nextOne, now)
  save(nextId, nextOne)
  return true
end
-- Returns whether another may be claimed now because of it.
local function finish(id, c, to, now)
  withdraw(id, c)
  move(c, to)
  c[UPDATED], c[SESSION] = now, ''
  redis.call('ZADD', over, now, id)
  redis.call('ZREM', expiring, id)
  save(id, c)
  return c[ORDER] ~= '' and succeed(id, c, now)
end
local function view(id, c)
  return { id, redis.call('HGET', bodies, id), c[STATE], c[ATTEMPTS], c[UPDATED], c[NOT_BEFORE], c[CODE],
    c[REASON], c[SEQ], c[ENTRY] }
end
-- What a session has taken, from an entry on.
local function taken_by(session, after)
  group()
  local reply = redis.call('XREADGROUP', 'GROUP', GROUP, session, 'STREAMS', stream, after)
  local found = {}
  for _, entry in ipairs(reply and reply[1] and reply[1][2] or {}) do
    -- Of an entry that is no longer there only its name is left.
    local id = entry[2] and entry[2][2]
    local c = id and load(id)
    if c and c[STATE] == SENT and c[SESSION] == session then found[#found + 1] = { id, c } end
  end
  return found
end
`

const QUEUE = [
  'stream',
  'bodies',
  'states',
  'waiting',
  'expiring',
  'heads',
  'followers',
  'over',
  'counts',
  'meta',
] as const

/** field of the idempotency key or ``, digest, its end, now; how many; then id, body, owner, order key, not before,
 *  end (0: none) of each → nothing, `conflict`, or the ids of the first time */
export const ADD = new Script(
  'fill',
  [...QUEUE, 'once', 'onceExpiring'],
  `${COMMANDS}
local field, digest, ends, now = take(), take(), number(), number()
if field ~= '' then
  local packed = redis.call('HGET', once, field)
  local earlier = packed and cmsgpack.unpack(packed)
  if earlier and earlier[2] > now then
    if earlier[1] ~= digest then return 'conflict' end
    return earlier[3]
  end
end
local ids = {}
for i = 1, number() do
  local id, body, owner, order, notBefore, expires = take(), take(), take(), take(), number(), number()
  ids[i] = id
  -- Its answer was lost on the way, and the same call came again.
  if redis.call('HEXISTS', states, id) == 0 then
    local c = { redis.call('HINCRBY', meta, 'command', 1), QUEUED, 0, now, owner, order, notBefore, expires, '', '',
      false, false }
    redis.call('HSET', bodies, id, body)
    redis.call('HINCRBY', counts, QUEUED, 1)
    if expires > 0 then redis.call('ZADD', expiring, expires, id) end
    if order ~= '' and redis.call('HSETNX', heads, order, id) == 0 then
      redis.call('ZADD', followers, 0, follower(id, c))
    else
      enqueue(id, c, now)
    end
    save(id, c)
  end
end
if field ~= '' then
  redis.call('HSET', once, field, cmsgpack.pack({ digest, ends, ids }))
  redis.call('ZADD', onceExpiring, ends, field)
end
`,
)

/** id → a command */
export const FIND = new Script(
  'read',
  ['bodies', 'states'],
  `${COMMANDS}
local id = take()
local c = load(id)
return c and view(id, c)
`,
)

/** id, owner, now → its state afterwards */
export const CANCEL = new Script(
  'drain',
  QUEUE,
  `${COMMANDS}
local id, owner, now = take(), take(), number()
local c = load(id)
if not c or c[OWNER_OF] ~= owner then return false end
if c[STATE] == QUEUED then
  local isOver = c[EXPIRES] > 0 and c[EXPIRES] <= now
  finish(id, c, isOver and EXPIRED or CANCELLED, now)
end
return c[STATE]
`,
)

/** session, epoch, generation, how many, now, the last entry that came to this holder or `` → when the next one
 *  falls due, and commands */
export const CLAIM = new Script(
  'drain',
  [...QUEUE, 'sessions'],
  `${COMMANDS}${LEASES}
local session, epoch, generation, limit, now, after = take(), number(), number(), number(), number(), take()
local refused = refusal(session, epoch, generation)
if refused then return refused end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', expiring, '-inf', now, 'LIMIT', 0, 1000)) do
  finish(id, load(id), EXPIRED, now)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', waiting, '-inf', now, 'LIMIT', 0, limit)) do
  local c = load(id)
  redis.call('ZREM', waiting, id)
  enqueue(id, c, now)
  save(id, c)
end
local found = {}
-- What an earlier call has taken, whose answer did not come.
for i, each in ipairs(after ~= '' and taken_by(session, after) or {}) do found[i] = view(each[1], each[2]) end
group()
local reply = redis.call('XREADGROUP', 'GROUP', GROUP, session, 'COUNT', limit, 'STREAMS', stream, '>')
for _, entry in ipairs(reply and reply[1][2] or {}) do
  local id = entry[2][2]
  local c = load(id)
  if c[EXPIRES] > 0 and c[EXPIRES] <= now then
    finish(id, c, EXPIRED, now)
  else
    move(c, SENT)
    c[ATTEMPTS], c[SESSION], c[UPDATED] = c[ATTEMPTS] + 1, session, now
    redis.call('ZREM', expiring, id)
    save(id, c)
    found[#found + 1] = view(id, c)
  end
end
local first = redis.call('ZRANGEBYSCORE', waiting, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return { first[2] or false, found }
`,
)

/** session, epoch → commands */
export const CLAIMED = new Script(
  'drain',
  [...QUEUE, 'sessions'],
  `${COMMANDS}${LEASES}
local session, epoch = take(), number()
local refused = lost(session, epoch)
if refused then return refused end
local found = {}
for i, each in ipairs(taken_by(session, '0')) do found[i] = view(each[1], each[2]) end
return found
`,
)

/** session, epoch, generation, now; how many; then id, state, not before, code, reason of each; changes
 *  → whether there may be something to claim */
export const FINISH = new Script(
  'drain',
  [...QUEUE, 'sessions', 'records'],
  `${COMMANDS}${LEASES}${CHANGES}
local session, epoch, generation, now = take(), number(), number(), number()
local refused = refusal(session, epoch, generation)
if refused then return refused end
local isMore = false
for _ = 1, number() do
  local id, to, notBefore, code, reason = take(), number(), number(), number(), take()
  local c = load(id)
  if c and c[STATE] == SENT and c[SESSION] == session then
    c[CODE], c[REASON] = code or false, reason ~= '' and reason or false
    if to == QUEUED then
      c[NOT_BEFORE] = notBefore
      again(id, c, now)
      isMore = true
    elseif finish(id, c, to, now) then
      isMore = true
    end
  end
end
change()
return isMore
`,
)

/** session, epoch, generation, now */
export const REMOVE_SESSION = new Script(
  'drain',
  [...QUEUE, 'sessions', 'records', 'batches'],
  `${COMMANDS}${LEASES}
local session, epoch, generation, now = take(), number(), number(), number()
local refused = refusal(session, epoch, generation)
if refused then return refused end
for _, each in ipairs(taken_by(session, '0')) do again(each[1], each[2], now) end
redis.call('XGROUP', 'DELCONSUMER', stream, GROUP, session)
redis.call('DEL', records)
redis.call('HDEL', batches, session)
redis.call('HDEL', sessions, session)
`,
)

/** → numbers of states, and how many commands have each */
export const COUNTS = new Script('read', ['counts'], `return redis.call('HGETALL', counts)`)

/** before, now, how many at most of each → how many commands went, and whether there may be more to forget */
export const TRIM_COMMANDS = new Script(
  'drain',
  ['bodies', 'states', 'over', 'counts', 'once', 'onceExpiring'],
  `local before, now, most = take(), take(), number()
local ids = redis.call('ZRANGEBYSCORE', over, '-inf', '(' .. before, 'LIMIT', 0, most)
for _, id in ipairs(ids) do
  local c = cmsgpack.unpack(redis.call('HGET', states, id))
  redis.call('HINCRBY', counts, c[2], -1)
  redis.call('HDEL', states, id)
  redis.call('HDEL', bodies, id)
  redis.call('ZREM', over, id)
end
local fields = redis.call('ZRANGEBYSCORE', onceExpiring, '-inf', now, 'LIMIT', 0, most)
for _, field in ipairs(fields) do
  redis.call('HDEL', once, field)
  redis.call('ZREM', onceExpiring, field)
end
return { #ids, math.max(#ids, #fields) == most }
`,
)
