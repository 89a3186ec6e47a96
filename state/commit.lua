-- Commit one shard, all or nothing, on condition that owner and version are still what the caller knows.
-- KEYS[1] = {app:sNN}:meta. ARGV: owner, version, clock, seq, trim, trimmed_to, user_ttl_s, watch_ttl_s, watch_limit,
-- then the counts of marks, users, due timers, ended timers, watchers, items, entries, then those in that order.
local meta = redis.call('HMGET', KEYS[1], 'owner', 'version')
if meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2] then
  return 0
end
local prefix = string.sub(KEYS[1], 1, -5)
local at = 17

local function each_chunk(count, width, command, key)
  local values = count * width
  local first = at
  while values > 0 do
    local size = math.min(values, 1000 * width)
    redis.call(command, key, unpack(ARGV, first, first + size - 1))
    first = first + size
    values = values - size
  end
  at = first
end

each_chunk(tonumber(ARGV[10]), 2, 'HSET', prefix .. 'marks')
for _ = 1, tonumber(ARGV[11]) do
  redis.call('SET', prefix .. 'u:' .. ARGV[at], ARGV[at + 1], 'EX', ARGV[7])
  at = at + 2
end
each_chunk(tonumber(ARGV[12]), 2, 'ZADD', prefix .. 'timers')
each_chunk(tonumber(ARGV[13]), 1, 'ZREM', prefix .. 'timers')
for _ = 1, tonumber(ARGV[14]) do
  local key = prefix .. 'w:' .. ARGV[at]
  redis.call('ZADD', key, 'GT', ARGV[at + 1], ARGV[at + 2])
  redis.call('EXPIRE', key, ARGV[8])
  local surplus = redis.call('ZCARD', key) - tonumber(ARGV[9])
  if surplus > 0 then
    redis.call('ZREMRANGEBYRANK', key, 0, surplus - 1)
  end
  at = at + 3
end
for _ = 1, tonumber(ARGV[15]) do
  redis.call('SET', prefix .. 'i:' .. ARGV[at], ARGV[at + 1], 'EX', ARGV[7])
  at = at + 2
end
local trim = tonumber(ARGV[5])
if trim > 0 then
  redis.call('LTRIM', prefix .. 'outbox', trim, -1)
  redis.call('HSET', KEYS[1], 'trimmed_to', ARGV[6])
end
each_chunk(tonumber(ARGV[16]), 1, 'RPUSH', prefix .. 'outbox')
redis.call('HSET', KEYS[1], 'version', ARGV[2] + 1, 'clock', ARGV[3], 'seq', ARGV[4])
return 1
