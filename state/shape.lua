-- Say the shape of the state, if it is still as it was read. KEYS[1] = {app}:shape. ARGV: as read ('': not yet said), new.
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
