-- Become the owner of one shard: a random token fences every earlier owner. Answers with all a new owner needs; where
-- a newer release has been the owner, with its layout alone.
-- KEYS[1] = {app:sNN}:meta. ARGV: owner, publisher (the name under which the owner publishes), layout.
local prefix = string.sub(KEYS[1], 1, -5)
local layout = tonumber(redis.call('HGET', KEYS[1], 'layout') or '0')
if layout > tonumber(ARGV[3]) then
  return layout
end
local before = redis.call('HGET', KEYS[1], 'publisher')
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'publisher', ARGV[2], 'layout', ARGV[3])
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
local meta = redis.call('HMGET', KEYS[1], 'clock', 'watermark', 'seq', 'trimmed_to', 'scan_from')
return {
  version, meta[1] or '-1', meta[2] or '-1', meta[3] or '0', meta[4] or '', meta[5] or '-1', before or '',
  redis.call('HGETALL', prefix .. 'marks'), redis.call('LRANGE', prefix .. 'outbox', 0, -1),
  redis.call('HGETALL', prefix .. 'calls'), redis.call('HGETALL', prefix .. 'buyers')
}
