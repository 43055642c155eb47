import { Script } from './script.ts'

/** What a session is kept as, and how its holder is known. Below the epoch stands the generation: a holder's calls
 *  carry a higher one after each call that it had no answer to, so that one which was stuck on its way is refused
 *  when it comes behind others after all. */
export const LEASES = `
local KIND, EPOCH, OWNER, UNTIL, GENERATION = 1, 2, 3, 4, 5
local function row(name)
  local packed = redis.call('HGET', sessions, name)
  return packed and cmsgpack.unpack(packed)
end
local function keep(name, held) redis.call('HSET', sessions, name, cmsgpack.pack(held)) end
local function lost(name, epoch)
  local held = row(name)
  if not held or held[OWNER] == '' or held[EPOCH] ~= epoch then return redis.error_reply('LEASELOST ' .. name) end
end
local function refusal(name, epoch, generation)
  local refused = lost(name, epoch)
  if refused then return refused end
  local held = row(name)
  if generation < held[GENERATION] then return redis.error_reply('OVERTAKEN by a later call') end
  if generation > held[GENERATION] then
    held[GENERATION] = generation
    keep(name, held)
  end
end
`

/** Takes changes of a session's records from the arguments: how many, then key, `1` or `0`, and value of each. */
export const CHANGES = `
local function change()
  for _ = 1, number() do
    local key, isKept, value = take(), take(), take()
    if isKept == '1' then redis.call('HSET', records, key, value) else redis.call('HDEL', records, key) end
  end
end
`

/** kind, owner, now, lease, which, generation → name, epoch, the last command given to anybody */
export const ACQUIRE = new Script(
  'drain',
  ['sessions', 'meta', 'stream'],
  `${LEASES}
local kind, owner, now, lease, which, generation = take(), take(), number(), number(), take(), number()
local names, free, others = redis.call('HKEYS', sessions), nil, 0
table.sort(names)
for _, name in ipairs(names) do
  local held = row(name)
  if held[KIND] == kind then
    others = others + 1
    if not free and (held[OWNER] == '' or held[UNTIL] <= now) then free = name end
  end
end
if not free and (which == 'abandoned' or (which == 'single' and others > 0)) then return false end
if not free then
  local n = 1
  while redis.call('HEXISTS', sessions, kind .. '-' .. n) == 1 do n = n + 1 end
  free = kind .. '-' .. n
end
-- No epoch comes twice, not even for a session that was removed and made again, or on a Redis that has lost what it
-- had: there an earlier holder may still be at work.
local epoch = math.max(tonumber(redis.call('HGET', meta, 'epoch') or 0) + 1, now)
redis.call('HSET', meta, 'epoch', string.format('%.0f', epoch))
keep(free, { kind, epoch, owner, now + lease, generation })
local given = '0-0'
if redis.call('EXISTS', stream) == 1 then
  local group = redis.call('XINFO', 'GROUPS', stream)[1] or {}
  for i = 1, #group, 2 do
    if group[i] == 'last-delivered-id' then given = group[i + 1] end
  end
end
return { free, epoch, given }
`,
)

/** until, then name and epoch of each → 1 or 0 for each */
export const EXTEND = new Script(
  'drain',
  ['sessions'],
  `${LEASES}
local untilThen, kept = number(), {}
for i = 1, number() do
  local name, epoch = take(), number()
  kept[i] = 0
  if not lost(name, epoch) then
    local held = row(name)
    held[UNTIL] = untilThen
    keep(name, held)
    kept[i] = 1
  end
end
return kept
`,
)

/** name, epoch */
export const RELEASE = new Script(
  'drain',
  ['sessions'],
  `${LEASES}
local name, epoch = take(), number()
if lost(name, epoch) then return end
local held = row(name)
held[OWNER] = ''
held[UNTIL] = 0
keep(name, held)
`,
)

/** name, epoch → fields and values */
export const RECORDS = new Script(
  'read',
  ['sessions', 'records'],
  `${LEASES}
local refused = lost(take(), number())
return refused or redis.call('HGETALL', records)
`,
)

/** name, epoch, generation, changes */
export const WRITE = new Script(
  'drain',
  ['sessions', 'records'],
  `${LEASES}${CHANGES}
local refused = refusal(take(), number(), number())
if refused then return refused end
change()
`,
)
