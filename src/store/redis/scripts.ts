/**
 * What runs inside Redis, in Lua: whatever must see a region's counter and its entries in one moment.
 *
 * The keys of a region, all with the same hash tag, so that in a cluster they live together:
 *
 * - `meta`, a hash: `i` the region's *incarnation*, a random text; `e` the counter; `f` the epoch before which no load
 *   may have started, to be stored; `o` the same for entries that are there; `g` the same for whatever has tags (it rises
 *   when old tags are forgotten); `b` the epoch of the last invalidation of any tag; `n` how many tags are remembered;
 *   `s0` to `s255` when a key of that slot was last deleted or set.
 * - `state`, a string: `i e o b` of the above, which is all that readers need, so that one command reads it together with
 *   entries. Written by every script that changes one of them; one that is gone is written anew when it is missed.
 * - `tags`, a sorted set: each invalidated tag with its epoch.
 * - one string for each entry: `incarnation epoch reclaimAt tagsBytes mark\n`, the tags as JSON, and the bytes.
 *
 * A server may forget anything at any time: it is restarted empty, or evicts keys. If `meta` is gone, or has not as many
 * tags as it should, nothing is known of what was invalidated. Then the region begins anew under another incarnation:
 * what is there of the old one is no entry any more, and no load that started under it is stored. So forgetting makes
 * entries invalid, and never valid again, without any clock.
 */

/** Slots in which fences are kept: keys that share one share its fate. */
export const slots = 256

/** Tags remembered in each region, the most recently invalidated ones. */
export const maxTags = 10_000

/** Bytes in which the first line of an entry fits, whatever is in it. */
export const head = 127

const prelude = `
local meta, tags, state = KEYS[1], KEYS[2], KEYS[3]
local function text(n) return string.format('%.0f', n) end

local function tell()
  local m = redis.call('HMGET', meta, 'i', 'e', 'o', 'b')
  redis.call('SET', state, m[1] .. ' ' .. m[2] .. ' ' .. m[3] .. ' ' .. m[4])
end

local function open(fresh)
  local m = redis.call('HMGET', meta, 'i', 'e', 'f', 'o', 'g', 'b', 'n')
  if not m[1] or tonumber(m[7]) ~= redis.call('ZCARD', tags) then
    redis.call('DEL', meta, tags)
    redis.call('HSET', meta, 'i', fresh, 'e', 0, 'f', 0, 'o', 0, 'g', 0, 'b', 0, 'n', 0)
    m = { fresh, 0, 0, 0, 0, 0, 0 }
    tell()
  end
  return { i = m[1], e = tonumber(m[2]), f = tonumber(m[3]), o = tonumber(m[4]), g = tonumber(m[5]), b = tonumber(m[6]) }
end

local function raise() return redis.call('HINCRBY', meta, 'e', 1) end

local function bumped(s, epoch, list)
  if #list == 0 or epoch >= s.b then return nil end
  for _, tag in ipairs(list) do
    local at = redis.call('ZSCORE', tags, tag)
    if at and tonumber(at) > epoch then return { tag, at } end
  end
  if epoch < s.g then return { list[1], text(s.g) } end
  return nil
end

local function entry(key)
  local line = redis.call('GETRANGE', key, 0, ${head})
  local i, e, size = string.match(line, '^(%S+) (%d+) %S+ (%d+) %S+\\n')
  if not i then return nil end
  local start = string.find(line, '\\n')
  local list = {}
  if tonumber(size) > 0 then
    local ok, all = pcall(cjson.decode, redis.call('GETRANGE', key, start, start + size - 1))
    if ok and type(all) == 'table' then list = all end
  end
  return { i = i, e = tonumber(e), tags = list }
end

local function valid(s, one, oldest)
  return one and one.i == s.i and one.e >= oldest and not bumped(s, one.e, one.tags)
end
`

const script = (body: string): string => prelude + body

/** Begins the region where there is none, and tells its state. ARGV: a fresh incarnation. */
export const open = script(`
open(ARGV[1])
tell()
return 0
`)

/**
 * Writes entries that nothing forbids. KEYS: the entries' own. ARGV: a fresh incarnation, then for each entry: the
 * incarnation and epoch it was loaded in or nothing, its slot, milliseconds to live or 0, the number of its tags, the
 * tags, and all of it that comes after the epoch.
 */
export const set = script(`
local s = open(ARGV[1])
local explicit
local at = 2
for k = 4, #KEYS do
  local since, slot, life, count = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  local list = {}
  for n = 1, count do list[n] = ARGV[at + 3 + n] end
  local rest = ARGV[at + 4 + count]
  at = at + 5 + count
  local epoch
  if since == '' then
    explicit = s.e + 1
    epoch = explicit
    redis.call('HSET', meta, 'e', text(epoch), 's' .. slot, text(epoch))
  else
    local i, e = string.match(since, '^(%S+) (%d+)$')
    e = tonumber(e)
    if i == s.i and e >= s.f and e >= s.o and e >= tonumber(redis.call('HGET', meta, 's' .. slot) or 0)
      and not bumped(s, e, list) then
      local there = entry(KEYS[k])
      if not there or there.i ~= s.i or there.e <= e then epoch = e end
    end
  end
  if epoch then
    local row = s.i .. ' ' .. text(epoch) .. rest
    if life == '0' then redis.call('SET', KEYS[k], row) else redis.call('SET', KEYS[k], row, 'PX', life) end
  end
end
if explicit then redis.call('SET', state, table.concat({ s.i, text(explicit), text(s.o), text(s.b) }, ' ')) end
return 0
`)

/** Removes entries and fences their keys; answers how many there were. ARGV: a fresh incarnation, and each key's slot. */
export const remove = script(`
local s = open(ARGV[1])
local epoch = text(raise())
local count = 0
for k = 4, #KEYS do
  redis.call('HSET', meta, 's' .. ARGV[k - 2], epoch)
  if valid(s, entry(KEYS[k]), s.o) then count = count + 1 end
  redis.call('UNLINK', KEYS[k])
end
tell()
return count
`)

/** Invalidates tags. ARGV: a fresh incarnation, how many tags may be remembered, the tags. */
export const bump = script(`
open(ARGV[1])
local epoch = text(raise())
for n = 3, #ARGV do redis.call('ZADD', tags, epoch, ARGV[n]) end
local surplus = redis.call('ZCARD', tags) - tonumber(ARGV[2])
if surplus > 0 then
  local last = redis.call('ZRANGE', tags, surplus - 1, surplus - 1, 'WITHSCORES')
  redis.call('ZREMRANGEBYRANK', tags, 0, surplus - 1)
  redis.call('HSET', meta, 'g', last[2])
end
redis.call('HSET', meta, 'b', epoch, 'n', redis.call('ZCARD', tags))
tell()
return 0
`)

/** Invalidates everything; answers the oldest epoch that was good before, and the one that is now. */
export const outdate = script(`
local s = open(ARGV[1])
local epoch = text(raise())
redis.call('HSET', meta, 'f', epoch, 'o', epoch)
tell()
return { text(s.o), epoch }
`)

/**
 * Removes what was outdated by an invalidation of everything; answers how many entries were good until then. ARGV: a
 * fresh incarnation, and what \`outdate\` answered.
 */
export const reap = script(`
local s = open(ARGV[1])
local count = 0
for k = 4, #KEYS do
  local one = entry(KEYS[k])
  if one and (one.i ~= s.i or one.e < tonumber(ARGV[3])) then
    if valid(s, one, tonumber(ARGV[2])) then count = count + 1 end
    redis.call('UNLINK', KEYS[k])
  end
end
return count
`)

/**
 * Tells the incarnation and the counter, and of some entries whether their tags are good still, as 1 or 0. KEYS: none.
 * ARGV: a fresh incarnation, then for each entry: incarnation, epoch, the number of its tags, the tags.
 */
export const judge = script(`
local s = open(ARGV[1])
local all = { s.i, text(s.e) }
local at = 2
while at <= #ARGV do
  local list = {}
  local count = tonumber(ARGV[at + 2])
  for n = 1, count do list[n] = ARGV[at + 2 + n] end
  all[#all + 1] = (ARGV[at] == s.i and not bumped(s, tonumber(ARGV[at + 1]), list)) and 1 or 0
  at = at + 3 + count
end
return all
`)

/** An entry, and what outdates it: the tag ('' for everything) and the epoch. */
export const inspect = script(`
local s = open(ARGV[1])
local one = entry(KEYS[4])
if not one or one.i ~= s.i then return nil end
local why = one.e < s.o and { '', text(s.o) } or bumped(s, one.e, one.tags)
return { redis.call('GET', KEYS[4]), why and why[1], why and why[2] }
`)
