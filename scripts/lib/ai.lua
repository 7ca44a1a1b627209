-- What connectors below ai/ share: opening an answer, its events, classes of
-- errors, the text that goes out, usage and what it costs.
--
-- Classes (ai/README.md): unauthorized rate_limited unavailable timeout too_long
-- refused bad_request broken cancelled. Each failing function here returns nil,
-- class, detail, seconds, so that a connector passes it on as it is.
local http, json, utf8, time = require "http", require "json", require "utf8", require "time"
local shared = require "lib.channels"

local MOST_TEXT = 64 * 1024 -- of an answer; what is longer is no answer for a chat
local MOST_BYTES = 4 * 1024 * 1024 -- of a stream, thoughts and all
local MOST_EVENTS = 100000
local MOST_WAIT_S = 3600
local MOST_ERROR = 300 -- characters of a provider's words that are told on

local M = { DONE = "[DONE]" }
M.given, M.tab, M.setting = shared.given, shared.tab, shared.setting

-- The address from the settings, or theirs; without a slash at its end.
function M.base(config, theirs)
  return ((M.given(config.base) and config.base or theirs):gsub("/+$", ""))
end

-- --- errors ----------------------------------------------------------------

local LONG = { "context_length", "context length", "maximum context", "context window", "prompt is too long",
  "input is too long", "input length", "too many tokens", "request_too_large", "string_above_max_length" }
local REFUSED = { "content_filter", "content_policy", "content filter", "data_inspection_failed", "sensitive",
  "risk_control", "moderation", "inappropriate content" }
local UNPAID = { "insufficient_quota", "insufficient balance", "insufficient_balance", "quota_exceeded",
  "rate_limit_error_quota", "arrearage", "billing", "credit balance" }

local function has(text, words)
  for _, word in ipairs(words) do
    if text:find(word, 1, true) then return true end
  end
end

local BY_STATUS = { [401] = "unauthorized", [402] = "unauthorized", [403] = "unauthorized", [404] = "unauthorized",
  [405] = "unauthorized", [408] = "timeout", [409] = "unavailable", [413] = "too_long", [425] = "unavailable",
  [429] = "rate_limited", [504] = "timeout" }

-- By HTTP status and what stands in the error's code, type and message.
function M.class_of(status, words)
  words = (words or ""):lower()
  local class = BY_STATUS[status] or status >= 500 and "unavailable" or status >= 400 and "bad_request"
    or status >= 300 and "unauthorized" or "broken"
  if class == "rate_limited" then return has(words, UNPAID) and "unauthorized" or class end
  if status < 500 and status ~= 401 then
    if has(words, LONG) then return "too_long" end
    if has(words, REFUSED) then return "refused" end
    if has(words, UNPAID) then return "unauthorized" end
  end
  return class
end

-- A call that never got an answer: http's code.
local BY_CODE = { timeout = "timeout", rate_limited = "rate_limited", cancelled = "cancelled", too_large = "broken",
  bad_request = "unauthorized" }
function M.no_answer(code, detail) return nil, BY_CODE[code] or "unavailable", detail or code end

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11,
  Dec = 12 }

-- Seconds that a busy provider wants us to wait; nil if it does not say, or
-- says nonsense.
function M.retry_after(headers)
  local ms, said = tonumber(headers["retry-after-ms"]), headers["retry-after"]
  local wait = ms and ms / 1000 or tonumber(said)
  if not wait and said then
    local day, month, year, clock = said:match "^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$"
    local at = MONTHS[month] and time.parse(("%s-%02d-%sT%sZ"):format(year, MONTHS[month], day, clock))
    wait = at and (at - time.now()) / 1000
  end
  if not wait or wait ~= wait or wait <= 0 then return nil end
  return math.min(wait, MOST_WAIT_S)
end

-- A provider's words, bounded and valid, for people who look after the house.
function M.said(...)
  local line = shared.words(...):gsub("%c+", " ")
  if not utf8.is_valid(line) then return "?" end
  return utf8.sub(line, 1, MOST_ERROR)
end

-- { error = { message, type, code } }, { code, message }, { msg }, "text"
function M.words_of(x)
  local e = type(x.error) == "table" and x.error or x
  local code = type(e.code) == "number" and ("%.0f"):format(e.code) or e.code
  return M.said(code, e.type, e.message, e.msg, e.statusText, type(x.error) == "string" and x.error or nil)
end

-- What an answer that is no stream says: nil, class, detail, seconds.
-- classify(status, x) may know the provider's codes better.
function M.refusal(status, headers, text, classify)
  local x = json.decode(text)
  local words = type(x) == "table" and M.words_of(x) or M.said(text)
  local class = type(x) == "table" and classify and classify(status, x) or M.class_of(status, words)
  local wait = (class == "rate_limited" or class == "unavailable") and M.retry_after(headers) or nil
  return nil, class, ("HTTP %d %s"):format(status, words), wait
end

-- One answer in JSON, for what is no conversation; own: the timeouts.
function M.rest(call, own, classify)
  call.timeout, call.connect_timeout, call.max_bytes = call.timeout or "30s", own.connect, "8MB"
  local res, code, detail = http.request(call)
  if not res then return M.no_answer(code, detail) end
  if not res.ok then return M.refusal(res.status, res.headers, res.body, classify) end
  if type(res.json) ~= "table" then return nil, "broken", "the answer is no JSON" end
  return res.json
end

-- --- streams ---------------------------------------------------------------

local function read_all(stream, most)
  local parts, size = {}, 0
  while size <= most do
    local piece, code, detail = stream:read()
    if not piece then
      if code then return nil, code, detail end
      return table.concat(parts)
    end
    parts[#parts + 1], size = piece, size + #piece
  end
  return nil, "too_large", "the answer is longer than " .. most .. " bytes"
end

local function times(call, ctx, own)
  local given = M.tab(ctx.timeout)
  call.connect_timeout = given.connect or own.connect
  call.first_timeout = given.first or own.first
  call.timeout = given.total or own.total
end

-- Opens an answer: a feed (below); or an answer that came whole as JSON, { whole
-- = table }; or nil, class, detail, seconds. own: the connector's timeouts.
function M.open(call, ctx, own, classify)
  times(call, ctx, own)
  local stream, code, detail = http.stream(call)
  if not stream then return M.no_answer(code, detail) end
  local kind = (stream.headers["content-type"] or ""):lower()
  if stream.ok and kind:find("text/event-stream", 1, true) then return M.feed(stream) end
  local text, why, more = read_all(stream, stream.ok and MOST_BYTES or 64 * 1024)
  stream:close()
  if not stream.ok then return M.refusal(stream.status, stream.headers, text or "", classify) end
  if not text then return nil, BY_CODE[why] or "broken", more end
  local x = kind:find("json", 1, true) and json.decode(text)
  if type(x) ~= "table" then
    return nil, "broken", ("neither a stream nor JSON (%s)"):format(M.said(kind ~= "" and kind or "no type"))
  end
  return { whole = x, status = stream.status, headers = stream.headers }
end

-- for name, x in feed.each do … end: the JSON of each event as a table, or
-- M.DONE. Afterwards feed.trouble() closes it and gives class and detail if it
-- broke. Thousands of them wait at the same time: all that one has is one table.
local function broken(feed, class, detail)
  feed.class, feed.detail = class, detail
  feed.stream:close()
end

local function next_of(feed)
  while not feed.class do
    local event = feed.next_event()
    if not event then
      local code, why = feed.stream:failed()
      if code then broken(feed, code == "timeout" and "timeout" or code == "cancelled" and code or "broken", why) end
      return nil
    end
    local data = event.data
    feed.events, feed.bytes = feed.events + 1, feed.bytes + #data
    if feed.events > MOST_EVENTS or feed.bytes > MOST_BYTES then
      return broken(feed, "broken", "the stream does not end")
    end
    if data == "[DONE]" or data == '"[DONE]"' then return event.event, M.DONE end
    if data ~= "" then
      local x, _, why = json.decode(data)
      if type(x) ~= "table" then return broken(feed, "broken", M.said("an event is no JSON object:", why)) end
      return event.event, x
    end
  end
end

function M.feed(stream)
  local feed = { stream = stream, headers = stream.headers, next_event = stream:sse { last = true }, events = 0,
    bytes = 0 }
  function feed.each() return next_of(feed) end
  function feed.trouble()
    stream:close()
    return feed.class, feed.detail
  end
  function feed.close() stream:close() end
  return feed
end

-- --- text that goes out ----------------------------------------------------

local function out(pen, text)
  if text == "" then return true end
  pen.bytes = pen.bytes + #text
  if pen.bytes > MOST_TEXT then return nil, "broken", "the answer is longer than " .. MOST_TEXT .. " bytes" end
  local ok, why = pen.say(text)
  if not ok then return nil, why or "cancelled", "nobody waits for it any more" end
  return true
end

local function write(pen, text)
  if text == nil or text == json.null or text == "" then return true end
  if type(text) ~= "string" then return nil, "broken", "the text is a " .. type(text) end
  if pen.mode == "text" then return out(pen, text) end
  local held = pen.held .. text
  if pen.mode == "thinking" then
    local _, to = held:find("</think>", 1, true)
    if not to then
      pen.held = held:sub(-7)
      return true
    end
    pen.mode, held, pen.thought = "start", held:sub(to + 1), true
  end
  local trimmed = held:match "^%s*(.*)$"
  if pen.thought then held = trimmed end
  pen.held = held
  if held == "" or not pen.thought and #trimmed < 7 and ("<think>"):sub(1, #trimmed) == trimmed then return true end
  pen.held = ""
  if not pen.thought and trimmed:sub(1, 7) == "<think>" then
    pen.mode = "thinking"
    return write(pen, trimmed:sub(8))
  end
  pen.mode = "text"
  return out(pen, held)
end

-- pen.write(text) -> true | nil, class, detail. Bounded, only texts, and without
-- the <think>…</think> that some servers put in front.
function M.pen(ctx)
  local pen = { bytes = 0, held = "", mode = "start", say = ctx.write }
  function pen.write(text) return write(pen, text) end
  -- The end: what was held back because it could have been a mark.
  function pen.close()
    local rest = pen.mode == "start" and pen.held or ""
    pen.held = ""
    return out(pen, rest)
  end
  return pen
end

return M
