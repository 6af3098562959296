/**
 * The Lua scripts. They use nothing that Redis 6.0 has not.
 */
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import { suffix } from "./value.ts"

export interface Script {
  readonly text: string
  readonly sha: string
}

/** What a write asks for, as the bits of a character of `ARGV[1]`, which are those of `first` to `millis` and 64. */
export const bits = { base: 64, first: 1, expected: 2, writes: 4, removes: 8, millis: 16 }

/**
 * Where hints go: to all of the servers (`P`) or to those of the shard (`S`). In small letters, what is found applied
 * already is replicated once more: WAIT looks at the last write of its connection only.
 */
export const settings = { plain: "P", sharded: "S", plainWaiting: "p", shardedWaiting: "s" }

/** How many bytes of data a refusal may bring along, all of a script together. */
const refusalBytes = 2 ** 20

const start = `
-- Before Redis 7 a script that looks at the time may write only if its effects are what is replicated.
if redis.replicate_commands then redis.replicate_commands() end
local pcall = redis.pcall
`

/**
 * - `look`: whether there is anything at a key, its revision, where its data begins (`nil` for a tombstone), how long they
 *   have left, what is wrong with it, and all that is there, if that is little. What the server refuses is an answer,
 *   too: a script that stops half-way would leave doubts.
 * - `obstacle`: why a key cannot be written, found out without writing: with the condition it never is.
 */
const common = `
local find, sub = string.find, string.sub

local function look(key)
  local head = pcall('GETRANGE', key, 0, 255)
  if type(head) == 'table' then return true, nil, nil, nil, head.err end
  if head == '' then
    local found = pcall('EXISTS', key)
    if found == 0 then return false end
    return true, nil, nil, nil, type(found) == 'table' and found.err or 'FOREIGN'
  end
  local _, at, length, retention = find(head, '^(%d+):(%d*):')
  if not at or #length > 9 then return true, nil, nil, nil, 'FOREIGN' end
  local last = at + tonumber(length)
  if last >= 256 then
    head = pcall('GETRANGE', key, 0, last)
    if type(head) == 'table' then return true, nil, nil, nil, head.err end
  end
  local whole = #head < 256 and head or nil
  local revision = sub(head, at + 1, last)
  local sign = sub(head, last + 1, last + 1)
  if #head < last or (sign ~= '' and sign ~= '=') then return true, nil, nil, nil, 'FOREIGN' end
  if sign == '' then return true, revision end
  if retention == '' then return true, revision, last + 1, nil, nil, whole end
  local left = pcall('PTTL', key)
  if type(left) == 'table' then return true, nil, nil, nil, left.err end
  if left < 0 then return true, revision, last + 1, nil, nil, whole end
  left = left - tonumber(retention)
  if left <= 0 then return true, revision .. '${suffix}' end
  return true, revision, last + 1, left, nil, whole
end

local function obstacle(key, exists)
  local answer = pcall('SET', key, '', exists and 'NX' or 'XX')
  return type(answer) == 'table' and answer.err or nil
end

-- A replica would answer with what was.
local function stale(key, exists)
  local err = obstacle(key, exists)
  return err and find(err, 'READONLY', 1, true)
end
local function readonly() return redis.error_reply('READONLY this server is a replica') end

-- A record as an answer, as far as there is room for its data. Answers with what is left of it, too, or why it cannot be told.
local function tell(key, revision, from, left, head, room, greedy)
  if not revision then return false, room end
  if not from then return {revision}, room end
  local length = head and #head or pcall('STRLEN', key)
  if type(length) == 'table' then return nil, room, length.err end
  local bytes = length - from
  if bytes > room and not greedy then return {revision, bytes, left}, room end
  local data = head and sub(head, from + 1) or pcall('GETRANGE', key, from, -1)
  if type(data) == 'table' then return nil, room, data.err end
  return {revision, data, left}, room - bytes
end
`

/**
 * Decides the transactions of a batch one after the other, each on what those before it left.
 *
 * `KEYS` are the keys of all writes. `ARGV[1]` is one of `settings`, and then a character of `bits` for each write. The
 * other arguments are those that the bits announce: how a value with the expected revision begins if its data stay, what to
 * store, for how many milliseconds.
 *
 * Answers with 1 where all are committed and all hints sent; if somebody heard any of them, with the positions of the keys
 * that these are about. Otherwise with what kept hints from being sent, and for each
 * transaction with 1 (committed), with the records of its keys (refused; their data as far as there is room), or with the
 * position of a key and what is wrong with it.
 *
 * Whatever may stand in the way of a write — rights, memory, disk, replicas — is found out of all keys of a transaction
 * before the first is written, and concerns that transaction alone. After its first write the server refuses a script
 * nothing but what its user may not do. A removal needs no memory: where there is none, the data are deleted first.
 */
const commit = `${start}
local keys, argv, ops = KEYS, ARGV, ARGV[1]
local byte = string.byte
local setting, count, verdicts, lost, plain, heard = byte(ops), #keys, {}, false, true, nil
local publish = (setting == 83 or setting == 115) and redis.REDIS_VERSION_NUM and 'SPUBLISH' or 'PUBLISH'

local function hint(i)
  local answer = pcall(publish, keys[i], '')
  if answer == 0 then return end
  if type(answer) == 'table' then
    lost, plain = lost or answer.err, false
  else
    heard = heard or {}
    heard[#heard + 1] = i
  end
end

-- All but what is most frequent. It takes a while to make all that, which is seldom needed.
local function prepare()
${common}
local band, room, waits = bit.band, ${refusalBytes}, setting == 112 or setting == 115

local function store(call, key, value, millis)
  if millis then return call('SET', key, value, 'PX', millis) end
  return call('SET', key, value)
end

-- Decides the transaction that begins with a key, and gives what is next; nothing where that may not be decided here.
return function(i, at)
  local exists, first, from, matches, writes, removes, fault, mine = {}, i, at, true, 0, false, nil, nil
  repeat
    local key, op = keys[i], byte(ops, i + 1)
    local expected = band(op, 2) ~= 0 and argv[at] or nil
    if expected then at = at + 1 end
    local revision
    -- What is expected is there, most of the time, and nothing more need be known.
    if expected and pcall('GETRANGE', key, 0, #expected - 1) == expected then
      exists[i] = true
      if i == 1 and stale(key, true) then return end
    else
      local found, _, err
      found, revision, _, _, err = look(key)
      exists[i] = found
      if i == 1 and stale(key, found) then return end
      if err then fault = fault or (i - first) .. ' ' .. err end
      if expected then
        if revision ~= sub(expected, find(expected, '::', 1, true) + 2, -2) then matches = false end
      elseif found then
        matches = false
      end
    end
    if band(op, 4) ~= 0 then
      writes = writes + 1
      if band(op, 8) ~= 0 then removes = true end
      if waits and revision and find(argv[at], ':' .. revision, 1, true) then mine = i end
      at = at + 1
    end
    if band(op, 16) ~= 0 then at = at + 1 end
    i = i + 1
  until i > count or band(byte(ops, i + 1), 1) ~= 0

  if matches and not fault and (writes > 1 or removes) then
    local full
    for j = first, i - 1 do
      local op = byte(ops, j + 1)
      if band(op, 4) ~= 0 then
        local err = obstacle(keys[j], exists[j])
        if err and band(op, 8) ~= 0 and find(err, 'OOM ', 1, true) then
          full = full or j
        elseif err then
          fault = fault or (j - first) .. ' ' .. err
        end
      end
    end
    if full and not fault then
      local answer = pcall('DEL', keys[full])
      if type(answer) == 'table' then fault = (full - first) .. ' ' .. answer.err end
    end
  end

  if matches and not fault then
    local argument, call, written = from, pcall, {}
    for j = first, i - 1 do
      local key, op = keys[j], byte(ops, j + 1)
      if band(op, 2) ~= 0 then argument = argument + 1 end
      if band(op, 4) ~= 0 then
        local millis = band(op, 16) ~= 0 and argv[argument + 1]
        local answer = store(call, key, argv[argument], millis)
        if answer.err then
          fault = (j - first) .. ' ' .. answer.err
          break
        end
        argument, call = argument + (millis and 2 or 1), redis.call
        written[#written + 1] = j
      end
    end
    for j = 1, #written do hint(written[j]) end
  end

  local verdict = 1
  if not matches and not fault then
    verdict = {}
    for j = first, i - 1 do
      local record, found, revision, offset, left, err, head
      found, revision, offset, left, err, head = look(keys[j])
      if not err then record, room, err = tell(keys[j], revision, offset, left, head, room) end
      if err then fault = (j - first) .. ' ' .. err end
      verdict[j - first + 1] = record
    end
    if mine then
      local key = keys[mine]
      -- The servers of a cluster tell each other what is published, and replicate nothing of it.
      local answer = setting == 112 and pcall('PUBLISH', key, '')
      if type(answer) ~= 'number' then
        answer = pcall('SET', key, pcall('GETRANGE', key, 0, -1), 'KEEPTTL')
        if answer.err then fault = (mine - first) .. ' ' .. answer.err end
      end
    end
  end
  verdicts[#verdicts + 1] = fault or verdict
  plain = plain and not fault and matches
  return i, at
end
end

local i, at, decide = 1, 2, nil
while i <= count do
  local key, expected, answer = keys[i], argv[at], nil
  -- What there is most of: one write, with which all is as expected, and nothing expires or is removed.
  if byte(ops, i + 1) == 71 and (i == count or byte(ops, i + 2) % 2 == 1)
    and pcall('GETRANGE', key, 0, #expected - 1) == expected then
    answer = pcall('SET', key, argv[at + 1])
  end
  if answer and not answer.err then
    hint(i)
    verdicts[#verdicts + 1] = 1
    i, at = i + 1, at + 2
  else
    decide = decide or prepare()
    i, at = decide(i, at)
    if not i then return redis.error_reply('READONLY this server is a replica') end
  end
end
return plain and (heard or 1) or {lost, verdicts}
`

/**
 * Tells records, all as they are at one moment.
 *
 * `ARGV[1]` is how many bytes of data it may tell; with `ARGV[2]` it tells the first data however large they are. Each of the
 * other arguments, where there are any, is the revision of a key's data that are known already: these are not told again.
 *
 * Answers for each key with all that is there, if that is little and lasts; otherwise with its record (with the size of
 * the data, or -1 where they are known, if these are not told); or with `false` and what is wrong with it.
 */
const read = `${start}${common}
local room, greedy, records = tonumber(ARGV[1]), ARGV[2] == '1', {}
for i = 1, #KEYS do
  local key, known, before = KEYS[i], ARGV[i + 2], room
  local value = pcall('GETRANGE', key, 0, 1023)
  local little = type(value) == 'string' and #value < 1024 and #value <= room
  if little and not known and find(value, '^%d+::') then
    if i == 1 and stale(key, true) then return readonly() end
    records[i] = value
    room = room - #value
  else
    local found, revision, from, left, err, head = look(key)
    local record
    if i == 1 and stale(key, found) then return readonly() end
    if from and known == revision then
      record = {revision, -1, left}
    elseif not err then
      record, room, err = tell(key, revision, from, left, head, room, greedy)
    end
    records[i] = err and {false, err} or record
  end
  if room < before then greedy = false end
end
return records
`

export interface Scripts {
  readonly commit: Script
  readonly read: Script
}

export const make: Effect.Effect<Scripts> = Effect.gen(function*() {
  const digest = yield* Digest.Digest
  const script = (text: string): Effect.Effect<Script> =>
    Effect.map(digest.digestHex(Digest.sha1, new TextEncoder().encode(text)), (sha) => ({ text, sha }))
  return { commit: yield* script(commit), read: yield* script(read) }
}).pipe(Effect.provide(Digest.layerWebCrypto))
