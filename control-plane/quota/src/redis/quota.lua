-- One request to the issuer of quotas. The rules are those of account/*.rs, word for word; its tests run on both.
--
-- Bounds (MAX_..., ..._MS) are put in front of this text. Numbers are doubles: whole up to 2^53, which no amount passes.
-- Rows are kept as MessagePack in hashes; numbers leave as text, since Lua's own way to print them drops digits.
local RUN, LIMITS, EVENTS, HEAD, WINDOWS, STARTS, HOLDERS, SEEN, LEASES, DUE, HOURS, PROCESSES = unpack(KEYS)
local op, now, known_version, run_id, durable = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local caller = 'seen:' .. ARGV[6]
-- The latest moment of any request that this caller made in the namespace.
local latest = tonumber(ARGV[7])

local function text(number) return string.format('%.0f', number) end
local function add(total, units) return math.min(total + units, MAX_UNITS) end
-- Exact, unlike a division that is rounded and then cut.
local function quotient(whole, part) return (whole - math.fmod(whole, part)) / part end
-- whole * small as two numbers of which the second is below 2^26, so that products can be compared without error.
local function product(whole, small)
  local low = math.fmod(whole, 67108864)
  local high = (whole - low) / 67108864 * small
  low = low * small
  local carry = quotient(low, 67108864)
  return high + carry, low - carry * 67108864
end
local function above(left, left_times, right, right_times)
  local high, low = product(left, left_times)
  local other_high, other_low = product(right, right_times)
  return high > other_high or high == other_high and low > other_low
end

-- The namespace.
local run = redis.call('HMGET', RUN, 'version', 'lost_ms', 'run_id', 'events', caller)
local version, lost_ms, events = tonumber(run[1] or '0'), tonumber(run[2] or '0'), tonumber(run[4] or '0')
local lost = false
if not run[1] then
  -- Gone, unless it is said to be new and nobody here has seen it.
  lost = op ~= 'open' or known_version > 0
elseif version < known_version or tonumber(run[5] or '0') < known_version then
  -- The version is raised by all callers, and may have passed what was lost; its own field only by the caller.
  lost = true
elseif run[3] ~= run_id and durable == '0' then
  lost = true
end
-- Those who only look do not know what time it is: the loss is noted by the next who grants or reports.
local looks = op == 'open' or op == 'events' or op == 'forget' or op == 'usage' or op == 'drawn' or op == 'sweep'
if lost then
  lost_ms = looks and MAX_UNITS or math.max(now, latest, lost_ms + 1)
  version = math.max(version, known_version)
end
if not (lost and looks) then
  version = version + 1
  redis.call('HSET', RUN, 'version', text(version), 'lost_ms', text(lost_ms), 'run_id', run_id, 'events', text(events),
    caller, text(version))
  if not run[5] and redis.call('HLEN', RUN) > MAX_CALLERS + 4 then
    -- Whoever was silent the longest is most likely gone; if it is not, it takes this for a loss.
    local fields, oldest, least = redis.call('HGETALL', RUN), nil, math.huge
    for at = 1, #fields, 2 do
      if string.sub(fields[at], 1, 5) == 'seen:' and tonumber(fields[at + 1]) < least then
        oldest, least = fields[at], tonumber(fields[at + 1])
      end
    end
    redis.call('HDEL', RUN, oldest)
  end
end

local function ok(...) return {'ok', text(version), ...} end
local function refused(code, ...) return {code, text(version), ...} end

if op == 'open' then return ok() end
if op == 'events' then
  return ok(unpack(redis.call('ZRANGEBYSCORE', EVENTS, '(' .. ARGV[8], '+inf', 'LIMIT', 0, MAX_EVENTS_READ)))
end
if op == 'forget' then
  redis.call('ZREMRANGEBYSCORE', EVENTS, '-inf', ARGV[8])
  return ok()
end

local space = string.sub(RUN, 1, -4)
local LIMIT_PARTS = {'head', 'windows', 'starts', 'holders', 'seen', 'leases', 'due', 'hours', 'processes'}
local function limit_keys(name)
  local keys = {}
  for at, part in ipairs(LIMIT_PARTS) do keys[at] = space .. 'limit:' .. name .. ':' .. part end
  return keys
end
-- The limits a holder had leases of.
local function draws(name) return space .. 'draws:' .. name end

-- Forgets those of some limits that nobody used for long: whose windows are all so long over that they are not kept, and
-- whose holders and leases are of before that. What people are told stays.
local function forget_idle(names)
  local forgotten = 0
  for _, name in ipairs(names) do
    local keys = limit_keys(name)
    local function highest(key) return redis.call('ZRANGE', key, 0, 0, 'REV', 'WITHSCORES') end
    local start, heard, due = highest(keys[3]), highest(keys[5]), highest(keys[7])
    local kept_row = start[1] and redis.call('HGET', keys[2], start[1])
    local w = kept_row and cmsgpack.unpack(kept_row)
    if w and w.end_ms + WINDOW_KEPT_MS + (w.end_ms - tonumber(start[1])) <= now
      and tonumber(heard[2] or '0') + WRITE_OFF_AFTER_MS < now and tonumber(due[2] or '0') + WRITE_OFF_AFTER_MS < now then
      for _, holder in ipairs(redis.call('HKEYS', keys[4])) do redis.call('SREM', draws(holder), name) end
      redis.call('DEL', unpack(keys))
      redis.call('SREM', LIMITS, name)
      forgotten = forgotten + 1
    end
  end
  return forgotten
end

if op == 'sweep' then
  -- Where nothing is known of the namespace, nothing is deleted.
  if lost then return ok('0', '') end
  local found = redis.call('SSCAN', LIMITS, ARGV[8] == '' and '0' or ARGV[8], 'COUNT', FORGET_BATCH)
  return ok(text(forget_idle(found[2])), found[1] == '0' and '' or found[1])
end
if op == 'drawn' then
  local name, prefix, found = ARGV[8], ARGV[9], {}
  for _, limit in ipairs(redis.call('SMEMBERS', draws(name))) do
    if string.sub(limit, 1, #prefix) == prefix then
      local keys = limit_keys(limit)
      local kept_head, kept_row = redis.call('GET', keys[1]), redis.call('HGET', keys[4], name)
      if kept_head and kept_row then
        found[#found + 1] = {limit, cmsgpack.unpack(kept_head), cmsgpack.unpack(kept_row).seen_ms}
      end
    end
  end
  table.sort(found, function(one, other) return one[3] > other[3] end)
  local fields = {}
  for at = 1, math.min(#found, MAX_DRAWN) do
    local h = found[at][2]
    for _, field in ipairs({found[at][1], h.unit, h.cycle, text(h.revision), text(h.amount)}) do
      fields[#fields + 1] = field
    end
  end
  return ok(unpack(fields))
end

-- The limit.
local limit = {
  name = ARGV[8], unit = ARGV[9], cycle = ARGV[10], revision = tonumber(ARGV[11]), amount = tonumber(ARGV[12]),
  warn = tonumber(ARGV[13]), life_ms = tonumber(ARGV[14]), minimum = tonumber(ARGV[15]),
  spike_percent = tonumber(ARGV[16]), spike_hours = tonumber(ARGV[17]), spike_minimum = tonumber(ARGV[18]),
  spike_floor = tonumber(ARGV[19]),
}
local start_ms, end_ms = tonumber(ARGV[20]), tonumber(ARGV[21])
local next_argument = 22
local function argument()
  next_argument = next_argument + 1
  return ARGV[next_argument - 1]
end
local function number() return tonumber(argument()) end

local kept = redis.call('GET', HEAD)
local head = kept and cmsgpack.unpack(kept) or {
  revision = 0, amount = 0, epoch = 0, next_id = 0, window_ms = 0, learned_ms = 0, trusted_epoch = 0,
  spike_hour = 0, first_hour = 0,
}

-- Rows that are read are written back at the end; `false` is a row that is gone.
local windows, holders, leases = {}, {}, {}
local function row(rows, key, field)
  if rows[field] == nil then
    local kept_row = redis.call('HGET', key, field)
    rows[field] = kept_row and cmsgpack.unpack(kept_row) or false
  end
  return rows[field]
end
local function window(start) return row(windows, WINDOWS, text(start)) end
local function begin_window(start, ends)
  windows[text(start)] = {
    end_ms = ends, spent = 0, overrun = 0, overage = 0, leased = 0, stranded = 0, lost = 0, assumed = 0, cap = 0,
    scarce_until_ms = 0,
  }
  redis.call('ZADD', STARTS, text(start), text(start))
  return windows[text(start)]
end
-- The window a lease was cut from. Its row may be gone when Redis lost keys.
local function window_of(l) return window(l.window_ms) or begin_window(l.window_ms, 0) end
local function lease_name(epoch, id) return text(epoch) .. ':' .. text(id) end
local function save()
  redis.call('SET', HEAD, cmsgpack.pack(head))
  for key, rows in pairs({[WINDOWS] = windows, [HOLDERS] = holders, [LEASES] = leases}) do
    for field, kept_row in pairs(rows) do
      if kept_row then
        redis.call('HSET', key, field, cmsgpack.pack(kept_row))
      else
        redis.call('HDEL', key, field)
      end
    end
  end
end

local function used(w) return w.spent + w.overrun + w.overage + w.stranded + w.lost + w.assumed end
local function committed(w) return math.min(used(w), MAX_UNITS) + w.leased end
local function available(w)
  local ceiling = head.amount
  if w.cap > 0 then ceiling = math.min(ceiling, w.cap - 1) end
  return math.max(ceiling - committed(w), 0)
end

local function publish(level, from_ms, to_ms, units, measure, hours)
  -- Whoever read on before a loss looks for numbers above those that may be forgotten.
  events = math.max(events + 1, level == 'data-lost' and now or 0)
  redis.call('HSET', RUN, 'events', text(events))
  local line = {text(events), limit.name, level, text(from_ms), text(to_ms), text(now), text(units), text(measure), text(hours)}
  redis.call('ZADD', EVENTS, text(events), table.concat(line, ' '))
  redis.call('ZREMRANGEBYRANK', EVENTS, 0, -MAX_EVENTS - 1)
end
local function tell(start, level)
  local w = window(start)
  if not w or w['told_' .. level] then return end
  w['told_' .. level] = true
  publish(level, start, w.end_ms, math.min(used(w), MAX_UNITS), head.amount, 0)
end
local function warn(start)
  local w = window(start)
  if not w then return end
  local units = used(w)
  if units > 0 and not above(head.amount, limit.warn, math.min(units, MAX_UNITS), 100) then tell(start, 'warning') end
end

-- Data was lost: whatever could have been granted in this window counts as used. What holders say of leases that are not
-- kept frees nothing: anybody could say it.
local function learn(at_ms)
  head.learned_ms = math.max(at_ms, head.learned_ms + 1)
  head.epoch = math.max(at_ms, head.epoch + 1)
  head.next_id = 1
  local w = window(start_ms)
  w.assumed = add(w.assumed, math.max(head.amount - committed(w), 0))
  w.cap = head.amount + 1
  tell(start_ms, 'data-lost')
end

local function usage_of(w, amount)
  return ok(text(amount), text(w.spent), text(w.overrun), text(w.overage), text(w.leased), text(w.stranded),
    text(w.lost), text(w.assumed), text(available(w)))
end

if op == 'usage' then
  local w = window(start_ms)
  if head.revision == 0 then head.amount = limit.amount end
  if not w then
    w = {spent = 0, overrun = 0, overage = 0, leased = 0, stranded = 0, lost = 0, assumed = 0, cap = 0}
    -- A window that was begun has a row, and a limit that was entered has a head.
    local gone = head.window_ms == start_ms
      or head.revision == 0 and (redis.call('SISMEMBER', LIMITS, limit.name) == 1
        or redis.call('EXISTS', WINDOWS, HOLDERS, LEASES) > 0)
    if gone or lost_ms >= start_ms and lost_ms > 0 then w.assumed = head.amount end
  end
  return usage_of(w, head.amount)
end

-- Turn to the window of now, and to the terms of the limit.
-- Redis can lose single keys: what was there before and is not any more is a loss, and no beginning.
local is_listed = redis.call('SISMEMBER', LIMITS, limit.name) == 1
local gone = is_listed ~= (head.revision > 0)
if head.revision == 0 then
  if not is_listed and redis.call('SCARD', LIMITS) >= MAX_LIMITS then
    forget_idle(redis.call('SRANDMEMBER', LIMITS, FORGET_BATCH))
    if redis.call('SCARD', LIMITS) >= MAX_LIMITS then return refused('full', 'limits') end
  end
  if redis.call('EXISTS', WINDOWS, HOLDERS, LEASES) > 0 then
    gone = true
    -- No number is given twice, and no window begun again.
    for _, start in ipairs(redis.call('HKEYS', WINDOWS)) do head.window_ms = math.max(head.window_ms, tonumber(start)) end
    for _, name in ipairs(redis.call('HKEYS', LEASES)) do
      head.epoch = math.max(head.epoch, tonumber(string.match(name, '^%d+')))
    end
  end
  head.unit, head.cycle = limit.unit, limit.cycle
elseif head.unit ~= limit.unit or head.cycle ~= limit.cycle then
  return refused('changed', head.unit, head.cycle)
end
-- Control planes number the same change by clocks of their own: who says the same is not outdated.
if op == 'grant' and limit.revision <= head.revision and limit.amount ~= head.amount then
  return refused('outdated', text(head.revision), text(head.amount))
end
if start_ms < head.window_ms then return refused('clock', text(head.window_ms)) end
if limit.revision > head.revision then head.revision, head.amount = limit.revision, limit.amount end
if not is_listed then redis.call('SADD', LIMITS, limit.name) end
local begins = not window(start_ms)
if begins then
  gone = gone or head.window_ms == start_ms
  head.window_ms = start_ms
  head.epoch = math.max(start_ms, head.epoch + 1)
  head.next_id = 1
  begin_window(start_ms, end_ms)
end
local current = window(start_ms)
-- A clock that is behind another's begins windows that the other may have used before the loss.
if lost_ms >= start_ms and lost_ms > 0 and (begins or lost_ms > head.learned_ms) then
  learn(lost_ms)
elseif gone then
  learn(now)
end

local function heard(name)
  local h = holders[name]
  h.seen_ms = math.max(now, h.seen_ms)
  redis.call('ZADD', SEEN, text(h.seen_ms), name)
end
local function close(name, l)
  leases[name] = false
  redis.call('ZREM', DUE, name)
  local h = row(holders, HOLDERS, l.holder)
  if not h then return end
  for at, lease in ipairs(h.held) do
    if lease == name then
      table.remove(h.held, at)
      break
    end
  end
end
local function hint(name)
  local h = holders[name]
  if not h or now >= current.scarce_until_ms or h.request == 0 then return '', '' end
  local l = row(leases, LEASES, lease_name(h.epoch, h.id))
  if l and l.window_ms == start_ms and not l.stranded and l.open > 0 then return text(h.epoch), text(h.id) end
  return '', ''
end

local function count_hour(units)
  if units == 0 then return end
  local hour = quotient(now, HOUR_MS)
  if head.first_hour == 0 then head.first_hour = hour end
  local so_far = add(tonumber(redis.call('HGET', HOURS, text(hour)) or '0'), units)
  redis.call('HSET', HOURS, text(hour), text(so_far))
  if limit.spike_percent == 0 or hour <= head.spike_hour then return end
  local hours = math.min(limit.spike_hours, math.max(hour - head.first_hour, 0))
  if hours < limit.spike_minimum or so_far < limit.spike_floor then return end
  local fields, sum = {}, 0
  for before = 1, hours do fields[before] = text(hour - before) end
  for _, before in ipairs(redis.call('HMGET', HOURS, unpack(fields))) do sum = add(sum, tonumber(before or '0')) end
  if not above(so_far, hours * 100, sum, limit.spike_percent) then return end
  head.spike_hour = hour
  publish('spike', hour * HOUR_MS, (hour + 1) * HOUR_MS, so_far, sum, hours)
end

local function take(from, field, units)
  local taken = math.min(units, from[field])
  from[field] = from[field] - taken
  return taken
end
local function take_unknown(units)
  local taken = take(current, 'lost', units)
  return taken + take(current, 'assumed', units - taken)
end

-- Processes of a sidecar, as they are named in rows of holders.
local function sidecar_of(name) return string.match(name, '^(.*)/%d+$') end
local function processes_of(sidecar)
  local kept_names = redis.call('HGET', PROCESSES, sidecar)
  return kept_names and cmsgpack.unpack(kept_names) or {}
end
local function drop_holder(name)
  holders[name] = false
  redis.call('ZREM', SEEN, name)
  redis.call('SREM', draws(name), limit.name)
  local sidecar, left = sidecar_of(name), {}
  for _, process in ipairs(processes_of(sidecar)) do
    if process ~= name then left[#left + 1] = process end
  end
  if #left > 0 then
    redis.call('HSET', PROCESSES, sidecar, cmsgpack.pack(left))
  else
    redis.call('HDEL', PROCESSES, sidecar)
  end
end
-- Forgets a holder; what it has not accounted for counts as used for good.
local function retire(name)
  local h = row(holders, HOLDERS, name)
  for _, key in ipairs(h and {unpack(h.held)} or {}) do
    local l = row(leases, LEASES, key)
    if l then
      local w = window_of(l)
      take(w, l.stranded and 'stranded' or 'leased', l.open)
      w.lost = add(w.lost, l.open)
      close(key, l)
    end
  end
  drop_holder(name)
end
-- Makes room for a holder that is not known, and gives it a row. Says what there are too many of.
local function admit(name, era)
  if row(holders, HOLDERS, name) then return nil end
  local sidecar = sidecar_of(name)
  local known = processes_of(sidecar)
  -- A sidecar names its processes as it likes, so many of them take no more room than a few.
  if #known >= MAX_PROCESSES then
    local oldest, least
    for _, process in ipairs(known) do
      local seen_ms = tonumber(redis.call('ZSCORE', SEEN, process) or '0')
      if not least or seen_ms < least or seen_ms == least and process < oldest then oldest, least = process, seen_ms end
    end
    retire(oldest)
    known = processes_of(sidecar)
  elseif redis.call('HLEN', HOLDERS) >= MAX_HOLDERS then
    return 'holders'
  end
  known[#known + 1] = name
  redis.call('HSET', PROCESSES, sidecar, cmsgpack.pack(known))
  holders[name] = {sequence = 0, request = 0, epoch = 0, id = 0, held = {}, seen_ms = 0, era = era}
  return nil
end

local function report(name)
  local sequence, overage, count = number(), number(), number()
  local lines, unheard = {}, nil
  for at = 1, count do
    local line = {epoch = number(), id = number(), spent = number(), back = number(), overrun = number(), last = number()}
    local l = row(leases, LEASES, lease_name(line.epoch, line.id))
    local is_later = line.epoch > head.epoch or line.epoch == head.epoch and line.id >= head.next_id
    if not unheard and (is_later or l and l.holder ~= name) then unheard = line end
    lines[at] = line
  end
  local h = row(holders, HOLDERS, name)
  if h and sequence <= h.sequence then
    heard(name)
    return nil, h.sequence, true
  end
  -- Whatever a sidecar says of leases it never had is no word on those of others.
  if unheard then return {'not-granted', text(unheard.id), text(unheard.epoch)} end
  -- A number left out says only that this holder was not listened to: what it gave back then is not known, and its leases
  -- count as used. Before its first report none is left out: others may be of a quota that was none.
  local sure = h and h.era == head.learned_ms + 1 and (h.sequence == 0 or sequence == h.sequence + 1)
  local full = admit(name, 0)
  if full then return {'full', full} end
  h = row(holders, HOLDERS, name)
  local touched, units = {[start_ms] = true}, overage
  current.overage = add(current.overage, overage)
  for _, line in ipairs(lines) do
    local key = lease_name(line.epoch, line.id)
    local l = row(leases, LEASES, key)
    if not l then
      if line.epoch >= math.max(head.window_ms, head.trusted_epoch) then
        -- Nobody can say any more whose it was, so nothing is given back.
        current.spent = add(current.spent, take_unknown(line.spent))
      end
      current.overrun = add(current.overrun, line.overrun)
      units = add(units, add(line.spent, line.overrun))
    else
      local spent = take(l, 'open', line.spent)
      local back = take(l, 'open', line.back)
      local rest = line.last == 1 and take(l, 'open', l.open) or 0
      local uncovered = add(line.overrun, line.spent - spent)
      local w = window_of(l)
      touched[l.window_ms] = true
      take(w, l.stranded and 'stranded' or 'leased', spent + back + rest)
      w.spent = add(w.spent, spent)
      w.overrun = add(w.overrun, uncovered)
      w.lost = add(w.lost, rest + (sure and 0 or back))
      if l.open == 0 then close(key, l) end
      units = add(units, add(spent, uncovered))
    end
  end
  h.sequence, h.era = sequence, head.learned_ms + 1
  heard(name)
  local starts = {}
  for start in pairs(touched) do starts[#starts + 1] = start end
  table.sort(starts)
  for _, start in ipairs(starts) do warn(start) end
  count_hour(units)
  return nil, sequence, false
end

if op == 'report' then
  local name = argument()
  local why, sequence, duplicate = report(name)
  local epoch, id = hint(name)
  save()
  if why then return refused(unpack(why)) end
  return ok(text(sequence), duplicate and '1' or '0', epoch, id)
end

if op == 'grant' then
  local name, request, wanted, needed, reports = argument(), number(), number(), number(), argument()
  local reported = {'', '', '', ''}
  if reports == '1' then
    local why, sequence, duplicate = report(name)
    if why then
      save()
      return refused(unpack(why))
    end
    local epoch, id = hint(name)
    reported = {text(sequence), duplicate and '1' or '0', epoch, id}
  end
  local h = row(holders, HOLDERS, name)
  if h and request <= h.request then
    local l = request == h.request and row(leases, LEASES, lease_name(h.epoch, h.id))
    save()
    if not l then return refused('stale', text(h.request)) end
    return ok('lease', text(h.epoch), text(h.id), text(l.amount), text(l.end_ms), unpack(reported))
  end
  if needed > head.amount then
    save()
    return ok('impossible', text(head.amount), '', '', '', unpack(reported))
  end
  local full = h and #h.held >= MAX_OPEN_LEASES and 'open' or redis.call('HLEN', LEASES) >= MAX_LEASES and 'leases'
  -- Who asks for the first time never had a lease, so none of its reports can have been taken in before.
  full = full or admit(name, request == 1 and head.learned_ms + 1 or 0)
  if full then
    save()
    return refused('full', full)
  end
  h = row(holders, HOLDERS, name)
  heard(name)
  local active = redis.call('ZCOUNT', SEEN, text(math.max(now - limit.life_ms * ACTIVE_LIVES, 0)), '+inf')
  local left, least = available(current), math.max(needed, 1)
  if left < least then
    -- Others are asked to give back only where it helps.
    if left + current.leased >= least then current.scarce_until_ms = now + limit.life_ms end
    tell(start_ms, 'exhausted')
    save()
    return ok('exhausted', text(end_ms), text(left), text(current.leased), '', unpack(reported))
  end
  local units = math.min(wanted, quotient(left, 2 * math.max(active, 1)))
  units = math.min(math.max(units, limit.minimum, least), left, MAX_LEASE_AMOUNT)
  current.leased = add(current.leased, units)
  local ends = math.min(now + limit.life_ms, end_ms)
  ends = ends - math.fmod(ends, 1000)
  local epoch, id = head.epoch, head.next_id
  head.next_id = id + 1
  local key = lease_name(epoch, id)
  leases[key] = {holder = name, window_ms = start_ms, amount = units, open = units, end_ms = ends, stranded = false}
  redis.call('ZADD', DUE, text(ends), key)
  if h.request == 0 then redis.call('SADD', draws(name), limit.name) end
  h.request, h.epoch, h.id = request, epoch, id
  h.held[#h.held + 1] = key
  save()
  return ok('lease', text(epoch), text(id), text(units), text(ends), unpack(reported))
end

if op == 'expire' then
  local stranded, written_off, touched = 0, 0, {}
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', text(now), 'LIMIT', 0, EXPIRE_BATCH)) do
    local l = row(leases, LEASES, key)
    if not l then
      redis.call('ZREM', DUE, key)
    else
      local w = window_of(l)
      touched[#touched + 1] = l.window_ms
      if l.stranded then
        take(w, 'stranded', l.open)
        w.lost = add(w.lost, l.open)
        written_off = written_off + l.open
        close(key, l)
      else
        l.stranded = true
        redis.call('ZADD', DUE, text(l.end_ms + WRITE_OFF_AFTER_MS), key)
        take(w, 'leased', l.open)
        w.stranded = add(w.stranded, l.open)
        stranded = stranded + l.open
      end
    end
  end
  table.sort(touched)
  for _, start in ipairs(touched) do warn(start) end
  local since = math.max(now - WRITE_OFF_AFTER_MS, 0)
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', SEEN, '-inf', '(' .. text(since), 'LIMIT', 0, EXPIRE_BATCH)) do
    local h = row(holders, HOLDERS, name)
    if not h or #h.held == 0 then drop_holder(name) end
  end
  local until_ms = text(math.max(now - WINDOW_KEPT_MS, 0))
  for _, start in ipairs(redis.call('ZRANGEBYSCORE', STARTS, '-inf', until_ms, 'LIMIT', 0, EXPIRE_BATCH)) do
    local from = tonumber(start)
    local w = window(from)
    local over = w and w.end_ms + WINDOW_KEPT_MS + (w.end_ms - from) <= now and w.leased == 0 and w.stranded == 0
    if not w or over and from < head.window_ms then
      windows[start] = false
      redis.call('ZREM', STARTS, start)
    end
  end
  local first_hour = quotient(now, HOUR_MS) - MAX_SPIKE_HOURS
  for _, hour in ipairs(redis.call('HKEYS', HOURS)) do
    if tonumber(hour) < first_hour then redis.call('HDEL', HOURS, hour) end
  end
  save()
  local next_due = redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2]
  local more = next_due and tonumber(next_due) <= now
  return ok(text(stranded), text(written_off), more and '1' or '0', next_due and text(tonumber(next_due)) or '')
end

if op == 'settle-loss' then
  local units = number()
  if head.learned_ms >= start_ms then
    -- Leases from before the loss may be of other terms than today's; those of this window end with it.
    local until_ms = math.min(head.learned_ms + MAX_LEASE_MS, end_ms)
    if now < until_ms then
      save()
      return refused('early', text(until_ms))
    end
    head.epoch = math.max(now, head.epoch + 1)
    head.next_id = 1
    head.trusted_epoch = head.epoch
    current.assumed = math.min(current.assumed, units)
    current.cap = 0
  end
  save()
  return usage_of(current, head.amount)
end

return refused('unknown')
