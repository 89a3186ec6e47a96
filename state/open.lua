-- Become the owner of one shard: a random token fences every earlier owner. Answers with all a new owner needs.
-- KEYS[1] = {app:sNN}:meta. ARGV: owner.
local prefix = string.sub(KEYS[1], 1, -5)
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
local meta = redis.call('HMGET', KEYS[1], 'clock', 'seq', 'trimmed_to')
return {
  version, meta[1] or '-1', meta[2] or '0', meta[3] or '',
  redis.call('HGETALL', prefix .. 'marks'), redis.call('LRANGE', prefix .. 'outbox', 0, -1)
}
