-- Take one of `limit` places. KEYS[1] = the claim's set. ARGV: claimant, limit, ttl_s.
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then
  return 1
end
if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', (redis.call('TIME')[1] + ARGV[3]) * 1000))
return 1
