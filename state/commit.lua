-- Commit one shard, all or nothing, on condition that owner and version are still what the caller knows.
-- KEYS[1] = {app:sNN}:meta. ARGV: owner, version, clock, watermark, seq, trim, trimmed_to, scan_from, user_ttl_s,
-- watch_ttl_s, watch_limit, audience_limit, then the counts of marks, users, due timers, ended timers, watchers, ended
-- watchers, items, entries, who joins and who leaves an audience, calls, ended calls, fields of the census, ended
-- ones, then those in that order.
local meta = redis.call('HMGET', KEYS[1], 'owner', 'version')
if meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2] then
  return 0
end
local prefix = string.sub(KEYS[1], 1, -5)
local counted = 12
local at = counted + 15

local function each_chunk(which, width, command, key)
  local values = tonumber(ARGV[counted + which]) * width
  local first = at
  while values > 0 do
    local size = math.min(values, 1000 * width)
    redis.call(command, key, unpack(ARGV, first, first + size - 1))
    first = first + size
    values = values - size
  end
  at = first
end

local function each(which, width, work)
  for _ = 1, tonumber(ARGV[counted + which]) do
    work(ARGV[at], ARGV[at + 1], ARGV[at + 2])
    at = at + width
  end
end

each_chunk(1, 2, 'HSET', prefix .. 'marks')
each(2, 2, function(user, blob)
  redis.call('SET', prefix .. 'u:' .. user, blob, 'EX', ARGV[9])
end)
each_chunk(3, 2, 'ZADD', prefix .. 'timers')
each_chunk(4, 1, 'ZREM', prefix .. 'timers')
each(5, 3, function(sku, when, user)
  local key = prefix .. 'w:' .. sku
  redis.call('ZADD', key, 'GT', when, user)
  redis.call('EXPIRE', key, ARGV[10])
  local surplus = redis.call('ZCARD', key) - tonumber(ARGV[11])
  if surplus > 0 then
    redis.call('ZREMRANGEBYRANK', key, 0, surplus - 1)
  end
end)
each(6, 2, function(sku, user)
  redis.call('ZREM', prefix .. 'w:' .. sku, user)
end)
each(7, 2, function(sku, blob)
  redis.call('SET', prefix .. 'i:' .. sku, blob, 'EX', ARGV[9])
end)
local trim = tonumber(ARGV[6])
if trim > 0 then
  redis.call('LTRIM', prefix .. 'outbox', trim, -1)
end
each_chunk(8, 1, 'RPUSH', prefix .. 'outbox')
each(9, 2, function(audience, user)
  local key = prefix .. 'a:' .. audience
  if redis.call('ZCARD', key) < tonumber(ARGV[12]) then
    redis.call('ZADD', key, 0, user)
  end
  redis.call('EXPIRE', key, ARGV[9])
end)
each(10, 2, function(audience, user)
  redis.call('ZREM', prefix .. 'a:' .. audience, user)
end)
each_chunk(11, 2, 'HSET', prefix .. 'calls')
each_chunk(12, 1, 'HDEL', prefix .. 'calls')
each_chunk(13, 2, 'HSET', prefix .. 'census')
each_chunk(14, 1, 'HDEL', prefix .. 'census')
redis.call('HSET', KEYS[1], 'version', ARGV[2] + 1, 'clock', ARGV[3], 'watermark', ARGV[4], 'seq', ARGV[5],
  'trimmed_to', ARGV[7], 'scan_from', ARGV[8])
return 1
