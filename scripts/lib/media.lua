-- Files of platforms, both ways: what adapters below channels/ do alike. In:
-- fetched while the push waits if that is quick, else from poll(); what cannot
-- be had is a text that says so. Out: uploaded once in its life at the
-- platform; what the platform does not take goes as a link.
local json, kv, time, log = require "json", require "kv", require "time", require "log"
local shared = require "lib.channels"
local given, words, LATER = shared.given, shared.words, shared.LATER

local SOON, SLOW = "2s", "8s"              -- in a push, from poll()
local LOOK_S, IDLE_S, POLL_MS = 2, 30, 10000 -- how often poll() looks, with and without any; for how long
local IN_HAND_MS = 6000                    -- longer than a push may take: then poll() has it
local KEPT_BYTES = 60000                   -- of a message that waits
local WAITS_S = { 3, 10, 30, 60 }          -- between tries; then it is a text

local M = {}

M.MARKS = { image = "[图片]", audio = "[语音]", video = "[视频]", file = "[文件]" }

-- --- in --------------------------------------------------------------------

local WHY = {
  too_large = "（文件太大，没有收取 / too large, not taken）",
  unsupported = "（不收这种文件 / files of this type are not taken）",
}
local LOST = "（没有取到 / could not be fetched）"

-- A message without its file: "[图片] what was said (why)".
local function without(ctx, m, code, why)
  log.warn("a file could not be fetched", { channel = ctx.channel.type, code = code, why = why, id = m.dedupe })
  return words(M.MARKS[m.kind], m.text, m.name_of_file, m.link, WHY[code] or LOST)
end

-- False if the house can take it later only.
local function deliver(ctx, m, file, code, why)
  local out = { dedupe = m.dedupe, from = m.from, to = m.to, name = m.name, agent = m.agent, profile = m.profile,
    kind = m.kind, text = m.text, file = file, hold = m.hold }
  local ok
  if file then
    ok, code, why = (m.to and ctx.echo or ctx.deliver)(out)
    if ok or LATER[code] then return ok ~= nil end
  end
  out.kind, out.file, out.text = "text", nil, without(ctx, m, code, why)
  return shared.hand_over(ctx, out)
end

-- What is left of "2s", for each of several calls: left() gives "1240ms".
function M.clock(timeout)
  local number, unit = timeout:match "^(%d+)(m?s)$"
  local till = time.now() + number * (unit == "s" and 1000 or 1)
  return function() return ("%dms"):format(math.max(till - time.now(), 1)) end
end

-- Hands over a message that bears a file. m: { dedupe, from, name, profile, kind,
-- text, link, name_of_file, media }, one of the staff's with `to` (and `agent`) in
-- place of `from`, media being what fetch(ctx, media, timeout) needs
-- (data: it may be kept); fetch gives a File, or nil, code, why. False if the
-- platform shall push it again. It is noted before it is fetched: what cannot be
-- fetched now, and what was under way when this handler died, waits for M.late.
function M.take(ctx, m, fetch, timeout)
  local key = ("late:%s:%s"):format(ctx.channel.id, m.dedupe):sub(1, 200)
  local small = #json.encode(m) < KEPT_BYTES
  local noted = small and kv.add(key, { m = m, tries = 0, at = time.now() + IN_HAND_MS }, "1d")
  if small and not noted then return noted == false end -- false: it is under way already
  local file, code, why = fetch(ctx, m.media, timeout or SOON)
  if not file and LATER[code] and small then
    kv.set(key, { m = m, tries = 0, at = 0 }, "1d")
    ctx.poll_soon()
    return true
  end
  local taken = deliver(ctx, m, file, code, why)
  if small then kv.update(key, function() return taken and kv.DELETE or { m = m, tries = 0, at = 0 } end, "1d") end
  return taken
end

local function try_again(ctx, key, fetch)
  local late = kv.get(key)
  if not late or late.at > time.now() then return end
  local m, wait = late.m, WAITS_S[late.tries + 1]
  local file, code, why = fetch(ctx, m.media, SLOW)
  if not file and LATER[code] and wait then
    return kv.set(key, { m = m, tries = late.tries + 1, at = time.now() + wait * 1000 }, "1d")
  end
  if deliver(ctx, m, file, code, why) then kv.update(key, function() return kv.DELETE end) end
end

-- For poll(): what could not be fetched while its push waited.
function M.late(ctx, fetch)
  local till = time.now() + POLL_MS
  local keys = kv.keys(("late:%s:"):format(ctx.channel.id), 20) or {}
  for _, key in ipairs(keys) do
    if time.now() < till then try_again(ctx, key, fetch) end
  end
  return { again = #keys > 0 and LOOK_S or IDLE_S }
end

-- --- out -------------------------------------------------------------------

local MB = 1024 * 1024

-- A rule for M.send: what the platform takes of a kind.
function M.rule(megabytes, ...)
  local rule = { most = megabytes * MB }
  for i = 1, select("#", ...) do
    rule.types = rule.types or {}
    rule.types[select(i, ...)] = true
  end
  return rule
end

-- What stands against sending this file as it is; nil: nothing.
function M.misfit(file, rule)
  if not rule then return "平台不收这种消息 / the platform takes no such message" end
  if file.size > rule.most then
    return ("文件超过平台的 %.0f MB / the platform takes %.0f MB"):format(rule.most / MB, rule.most / MB)
  end
  if rule.types and not rule.types[file.mime:lower()] then
    return "平台不收这种格式 / the platform does not take this format: " .. file.mime
  end
end

-- The file as words with its link; nil without one.
function M.link_of(item)
  local file = item.file
  return given(file.url) and words(M.MARKS[item.kind] or "[文件]", item.text, file.name, file.url) or nil
end

-- What an item with a file is: make(item, kind) and then what is said beside it;
-- a picture that is no picture there may go as a file. A text with the link, if
-- the platform does not take it at all; or nil and why. texts(words) makes the
-- platform's list of messages of words.
function M.list(item, rules, make, texts)
  local kind, why = item.kind, M.misfit(item.file, rules[item.kind])
  if why and rules.file and not M.misfit(item.file, rules.file) then kind, why = "file", nil end
  if why then
    local text = M.link_of(item)
    if text then return texts(text) end
    return nil, { failed = "unsupported", why = why }
  end
  local list = { make(item, kind) }
  if given(item.text) then
    for _, one in ipairs(texts(item.text)) do list[#list + 1] = one end
  end
  return list
end

-- The platform's id of a file, by upload() -> id, or nil and what is in the
-- way; kept as long as it lives there, however often it is sent.
function M.id_of(key, life, upload)
  local trouble
  local id = kv.once("media:" .. key, life, function()
    local got
    got, trouble = upload()
    return got
  end)
  if id then return id end
  return nil, trouble or { retry = 5, why = "上传没有完成 / the upload did not end" }
end

-- The platform does not know that id any more.
function M.forget(key) kv.update("media:" .. key, function() return kv.DELETE end) end

return M
