/**
 * The Lua scripts. They use nothing that Redis 6.2 has not.
 *
 * A scope is a hash: `r` is its revision, `d` its data; a tombstone has no `d`. What has no `r` is not ours.
 */
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"

export interface Script {
  readonly text: string
  readonly sha: string
}

/** What a write asks for, as the bits of a character of `ARGV[1]`, which are those of `first` to `expires` and 64. */
export const bits = { base: 64, first: 1, expected: 2, writes: 4, data: 8, expires: 16 }

/**
 * Where hints go: to all of the servers (`P`) or to those of the shard (`S`). In small letters, a write that is refused
 * hints as well: it may have been applied before, and WAIT looks at the last write of its connection only.
 */
export const settings = { plain: "P", sharded: "S", plainWaiting: "p", shardedWaiting: "s" }

/**
 * Decides the transactions of a batch one after the other, each on what those before it left.
 *
 * `KEYS` are the keys of all writes. `ARGV[1]` is one of `settings`, and then a character of `bits` for each write. The
 * other arguments are those that the bits announce: expected revision, next revision, data, milliseconds to live.
 *
 * Answers for each transaction with 1 (committed), with the revisions and data of its keys (refused), or with the
 * position of the key that is not a scope, and what was wrong.
 *
 * Only the first write of a script can be refused by the server, for want of memory, disk, replicas or rights: never a
 * later one, so no transaction is ever applied in part. Permissions are looked at first, since they differ by command.
 */
const commit = `
local keys, argv, ops = KEYS, ARGV, ARGV[1]
local call, byte, band = redis.call, string.byte, bit.band
local setting = string.sub(ops, 1, 1)
local waits = setting == 'p' or setting == 's'
local publish = string.upper(setting) == 'S' and redis.REDIS_VERSION_NUM and 'SPUBLISH' or 'PUBLISH'

if redis.acl_check_cmd then
  local key = keys[1]
  if not redis.acl_check_cmd('HSET', key, 'r', '') then return redis.error_reply('NOPERM hset') end
  if not redis.acl_check_cmd('HDEL', key, 'd') then return redis.error_reply('NOPERM hdel') end
  if not redis.acl_check_cmd('PEXPIRE', key, '1') then return redis.error_reply('NOPERM pexpire') end
  if not redis.acl_check_cmd('PERSIST', key) then return redis.error_reply('NOPERM persist') end
  if not redis.acl_check_cmd(publish, key, '') then
    return redis.error_reply('NOPERM ' .. string.lower(publish) .. ' on the channels that begin with the prefix')
  end
end

local count, i, at, verdicts = #keys, 1, 2, {}
while i <= count do
  local first, from, matches, writes, fault = i, at, true, false, nil
  repeat
    local key, op = keys[i], byte(ops, i + 1)
    local revision = redis.pcall('HGET', key, 'r')
    if type(revision) == 'table' then
      fault = fault or (i - first) .. ' ' .. revision.err
    elseif not revision and call('EXISTS', key) == 1 then
      fault = fault or (i - first) .. ' FOREIGN'
    end
    if band(op, 2) ~= 0 then
      if revision ~= argv[at] then matches = false end
      at = at + 1
    elseif revision then
      matches = false
    end
    if band(op, 4) ~= 0 then
      writes = true
      at = at + 1
    end
    if band(op, 8) ~= 0 then at = at + 1 end
    if band(op, 16) ~= 0 then at = at + 1 end
    i = i + 1
  until i > count or band(byte(ops, i + 1), 1) ~= 0

  if fault then
    verdicts[#verdicts + 1] = fault
  elseif matches then
    at = from
    for j = first, i - 1 do
      local key, op = keys[j], byte(ops, j + 1)
      local exists = band(op, 2) ~= 0
      if exists then at = at + 1 end
      if band(op, 4) ~= 0 then
        local revision, ttl = argv[at], ''
        at = at + 1
        if band(op, 8) ~= 0 then
          call('HSET', key, 'r', revision, 'd', argv[at])
          at = at + 1
        else
          call('HDEL', key, 'd')
          call('HSET', key, 'r', revision)
        end
        if band(op, 16) ~= 0 then
          ttl = argv[at]
          at = at + 1
          call('PEXPIRE', key, ttl)
        elseif exists then
          call('PERSIST', key)
        end
        call(publish, key, ttl)
      end
    end
    verdicts[#verdicts + 1] = 1
  else
    local current = {}
    for j = first, i - 1 do
      local record = call('HMGET', keys[j], 'r', 'd')
      current[#current + 1] = record[1]
      current[#current + 1] = record[2]
    end
    if waits and writes then call(publish, keys[first], '') end
    verdicts[#verdicts + 1] = current
  end
end
return verdicts
`

/** Answers with the revision and the data of each key, or with the position of one that is no scope and why. */
const read = `
local records = {}
for i = 1, #KEYS do
  local record = redis.pcall('HMGET', KEYS[i], 'r', 'd')
  if record.err then return (i - 1) .. ' ' .. record.err end
  if not record[1] and redis.call('EXISTS', KEYS[i]) == 1 then return (i - 1) .. ' FOREIGN' end
  records[#records + 1] = record[1]
  records[#records + 1] = record[2]
end
return records
`

/** Answers with the milliseconds that each key has to live: -1 for ever, -2 where there is none. */
const lifetimes = `
local millis = {}
for i = 1, #KEYS do millis[i] = redis.call('PTTL', KEYS[i]) end
return millis
`

export interface Scripts {
  readonly commit: Script
  readonly read: Script
  readonly lifetimes: Script
}

export const make: Effect.Effect<Scripts> = Effect.gen(function*() {
  const digest = yield* Digest.Digest
  const script = (text: string): Effect.Effect<Script> =>
    Effect.map(digest.digestHex(Digest.sha1, new TextEncoder().encode(text)), (sha) => ({ text, sha }))
  return { commit: yield* script(commit), read: yield* script(read), lifetimes: yield* script(lifetimes) }
}).pipe(Effect.provide(Digest.layerWebCrypto))
