-- Commit one shard, all or nothing, on condition that owner and version are still what the caller knows.
-- KEYS[1] = {app:sNN}:meta. ARGV: owner, version, clock, watermark, seq, trim, trimmed_to, scan_from, user_ttl_s,
-- watch_ttl_s, watch_limit, audience_limit, then the change: one MessagePack array (`change_of` in redis_change.py), and all
-- blobs of it in one string, of which it has the sizes. For every argument costs the caller more than what is in it, and
-- cmsgpack knows no binary values.
local meta = redis.call('HMGET', KEYS[1], 'owner', 'version')
if meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2] then
  return 0
end
local prefix = string.sub(KEYS[1], 1, -5)
-- Until when, rather than for how long: of that Redis would make what it tells the AOF, for each key anew.
local now = redis.call('TIME')[1]
local users_until = string.format('%.0f', (now + ARGV[9]) * 1000)
local watched_until = string.format('%.0f', (now + ARGV[10]) * 1000)
local watch_limit, audience_limit = tonumber(ARGV[11]), tonumber(ARGV[12])
local marks, users, user_sizes, due, ended, watchers, unwatch, items, item_sizes, entry_sizes, joins, leaves, calls,
  call_sizes, over, counted, counted_sizes, uncounted = unpack(cmsgpack.unpack(ARGV[13]))
local blobs, taken = ARGV[14], 0

local function next_blob(size)
  taken = taken + size
  return string.sub(blobs, taken - size + 1, taken)
end

local function in_chunks(command, key, values)
  for first = 1, #values, 2000 do
    redis.call(command, key, unpack(values, first, math.min(first + 1999, #values)))
  end
end

in_chunks('HSET', prefix .. 'marks', marks)
for number, user in ipairs(users) do
  redis.call('SET', prefix .. 'u:' .. user, next_blob(user_sizes[number]), 'PXAT', users_until)
end
in_chunks('ZADD', prefix .. 'timers', due)
in_chunks('ZREM', prefix .. 'timers', ended)
for sku, seen in pairs(watchers) do
  local key = prefix .. 'w:' .. sku
  for user, at in pairs(seen) do
    redis.call('ZADD', key, 'GT', at, user)
  end
  redis.call('PEXPIREAT', key, watched_until)
  local surplus = redis.call('ZCARD', key) - watch_limit
  if surplus > 0 then
    redis.call('ZREMRANGEBYRANK', key, 0, surplus - 1)
  end
end
for _, gone in ipairs(unwatch) do
  redis.call('ZREM', prefix .. 'w:' .. gone[1], gone[2])
end
for number, sku in ipairs(items) do
  redis.call('SET', prefix .. 'i:' .. sku, next_blob(item_sizes[number]), 'PXAT', users_until)
end
local trim = tonumber(ARGV[6])
if trim > 0 then
  redis.call('LTRIM', prefix .. 'outbox', trim, -1)
end
local entries = {}
for number, size in ipairs(entry_sizes) do
  entries[number] = next_blob(size)
end
in_chunks('RPUSH', prefix .. 'outbox', entries)
for _, joined in ipairs(joins) do
  local key = prefix .. 'a:' .. joined[1]
  if redis.call('ZCARD', key) < audience_limit then
    redis.call('ZADD', key, 0, joined[2])
  end
  redis.call('PEXPIREAT', key, users_until)
end
for _, left in ipairs(leaves) do
  redis.call('ZREM', prefix .. 'a:' .. left[1], left[2])
end
for number, name in ipairs(calls) do
  redis.call('HSET', prefix .. 'calls', name, next_blob(call_sizes[number]))
end
in_chunks('HDEL', prefix .. 'calls', over)
local fields = {}
for number, field in ipairs(counted) do
  fields[2 * number - 1], fields[2 * number] = field, next_blob(counted_sizes[number])
end
in_chunks('HSET', prefix .. 'buyers', fields)
in_chunks('HDEL', prefix .. 'buyers', uncounted)
redis.call('HSET', KEYS[1], 'version', ARGV[2] + 1, 'clock', ARGV[3], 'watermark', ARGV[4], 'seq', ARGV[5],
  'trimmed_to', ARGV[7], 'scan_from', ARGV[8])
return 1
