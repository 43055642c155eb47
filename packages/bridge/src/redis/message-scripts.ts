import { Script } from './script.ts'
import { CHANGES, LEASES } from './session-scripts.ts'

/** Messages are entries `N-0` of a stream, N counted from 1 without a gap: so a reader knows by the first entry what
 *  has been trimmed. */
const LOG = `
local function numberOf(entry) return tonumber(string.match(entry, '^%d+')) end
local function entryOf(n) return string.format('%.0f-0', n) end
local function newest() return tonumber(redis.call('HGET', meta, 'message') or 0) end
local function oldest()
  local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  return first and numberOf(first[1]) or newest() + 1
end
`

/** session, epoch, generation, number of the batch; changes; how many messages; then topic, time, unique id or
 *  ``, body of each → how many were new */
export const APPEND = new Script(
  'fill',
  ['log', 'last', 'unique', 'meta', 'sessions', 'records', 'batches'],
  `${LOG}${LEASES}${CHANGES}
local session, epoch, generation, batch = take(), number(), number(), take()
local refused = refusal(session, epoch, generation)
if refused then return refused end
-- Its answer was lost on the way, and the same call came again.
local packed = batch ~= '' and redis.call('HGET', batches, session)
local earlier = packed and cmsgpack.unpack(packed)
if earlier and earlier[1] == epoch and earlier[2] == batch then return earlier[3] end
change()
local stored, latest = 0, {}
for _ = 1, number() do
  local topic, time, uniqueId, body = take(), take(), take(), take()
  if uniqueId == '' or not redis.call('ZSCORE', unique, uniqueId) then
    local n = redis.call('HINCRBY', meta, 'message', 1)
    redis.call('XADD', log, entryOf(n), 't', topic, 'r', time, 'm', body)
    if uniqueId ~= '' then redis.call('ZADD', unique, n, uniqueId) end
    latest[topic] = string.format('%.0f\\n', n) .. body
    stored = stored + 1
  end
end
for topic, value in pairs(latest) do redis.call('HSET', last, topic, value) end
if batch ~= '' then redis.call('HSET', batches, session, cmsgpack.pack({ epoch, batch, stored })) end
-- Between two trims the log does not grow without bound.
local cap = redis.call('HGET', meta, 'cap')
if cap and newest() > tonumber(cap) and stored > 0 then
  if redis.call('XTRIM', log, 'MINID', '~', entryOf(newest() - tonumber(cap) + 1)) > 0 then
    redis.call('ZREMRANGEBYSCORE', unique, '-inf', oldest() - 1)
  end
end
return stored
`,
)

/** after, wanted, looked at at most, bytes, the beginning of topics
 *  → the oldest, the newest, how far it came, and number, topic, body of each */
export const READ = new Script(
  'read',
  ['log', 'meta'],
  `${LOG}
local after, wanted, most, bytes, prefix = number(), number(), number(), number(), take()
local found, looked, read = {}, 0, 0
local chunk = 16
while looked < most and #found < wanted and read < bytes do
  local rows = redis.call('XRANGE', log, '(' .. entryOf(after), '+', 'COUNT', math.min(chunk, most - looked))
  if #rows == 0 then break end
  local size = 0
  for _, each in ipairs(rows) do
    local topic, body = each[2][2], each[2][6]
    looked, size, after = looked + 1, size + #body, numberOf(each[1])
    if string.sub(topic, 1, #prefix) == prefix then
      found[#found + 1] = { after, topic, body }
      read = read + #body
      if #found >= wanted or read >= bytes then break end
    end
  end
  -- As many of such a size as are about to be read: a few large ones are not to fill the memory of Redis.
  chunk = math.max(1, math.min(500, math.floor(bytes / (size / #rows + 1))))
end
return { oldest(), newest(), after, found }
`,
)

/** maximum or ``, received before or ``, how many at most → how many went, and whether there are more */
export const TRIM = new Script(
  'drain',
  ['log', 'unique', 'meta'],
  `${LOG}
local maximum, before, most = number(), number(), number()
if maximum then redis.call('HSET', meta, 'cap', maximum) end
local first, upTo = oldest(), maximum and newest() - maximum or 0
if before then
  local after, isOlder = first - 1, true
  while isOlder and after - first < most do
    local rows = redis.call('XRANGE', log, '(' .. entryOf(after), '+', 'COUNT', 50)
    if #rows == 0 then break end
    for _, each in ipairs(rows) do
      isOlder = tonumber(each[2][4]) < before
      if not isOlder then break end
      after = numberOf(each[1])
    end
  end
  upTo = math.max(upTo, after)
end
local cut = math.min(upTo, first + most - 1)
if cut < first then return { 0, false } end
local gone = redis.call('XTRIM', log, 'MINID', '=', entryOf(cut + 1))
redis.call('ZREMRANGEBYSCORE', unique, '-inf', cut)
return { gone, upTo > cut or (before and cut == first + most - 1) }
`,
)
