-- News of kf accounts: noted by a callback, fetched by a cursor, taken.
local kv, time, log = require "kv", require "time", require "log"
local api, messages = require "channels.wecom.api", require "channels.wecom.messages"
local shared, media = require "lib.channels", require "lib.media"

local SOON_S = 0.3         -- until poll() goes on with what it could not end
local SWEEP_MS = 300000    -- asks without a callback, in case one was missed
local TOKEN_MS = 9 * 60000 -- how long a callback's token is used (10 min)
local PULL_MS = 15000      -- of one poll; the rest is for the next
local WELCOME_S = 18       -- a welcome_code lives 20 s
local FILE_TIME = "8s"

local M = {}

local function given(text) return type(text) == "string" and text ~= "" end

function M.is_ours(config, kfid) return given(kfid) and (not given(config.open_kfid) or config.open_kfid == kfid) end

-- At once, not with this handler's end: poll() may be looking.
function M.ask_soon(ctx, kfid, note)
  return kv.update(api.key_of("due", ctx, kfid), function() return note end, "1d")
end

local FAIL = {
  [1] = "客服账号已删除 / the account was deleted", [2] = "应用已关闭 / the app was closed",
  [4] = "会话超过 48 小时 / the session is over 48 h old", [5] = "会话已关闭 / the session is closed",
  [6] = "超过 5 条 / over 5 messages", [8] = "企业未认证 / the enterprise is not verified",
  [10] = "用户拒收 / the user refuses messages", [11] = "企业没有成员登录过企业微信 / no member is logged in to WeCom",
  [12] = "组件不允许此类型 / the type is not allowed",
}

local function welcome(m, e, ctx)
  local text = ctx.config.welcome
  local age = time.now() / 1000 - (tonumber(m.send_time) or 0)
  if not given(text) or not given(e.welcome_code) or age > WELCOME_S then return end
  local answer, why = api.call(ctx, "send_msg_on_event",
    { code = e.welcome_code, msgtype = "text", text = { content = text } })
  if not answer or answer.errcode ~= 0 then
    log.warn("wecom: the welcome was not sent", { why = answer and api.sentence(answer) or why })
  end
end

local function tell(m, e, ctx, text)
  if not given(e.external_userid) or not given(e.open_kfid) then return true end
  return shared.hand_over(ctx, { dedupe = m.msgid, from = e.external_userid .. "@" .. e.open_kfid, kind = "text",
    text = text })
end

-- False if the house can take it later only.
local events = {
  enter_session = function(m, e, ctx)
    welcome(m, e, ctx)
    if not given(e.scene_param) then return true end -- nothing to know
    return tell(m, e, ctx, shared.words("[进入会话]", e.scene, e.scene_param))
  end,
  user_recall_msg = function(_, e, ctx)
    if not given(e.external_userid) or not given(e.open_kfid) or not given(e.recall_msgid) then return true end
    return shared.taken_back(ctx, e.external_userid .. "@" .. e.open_kfid, e.recall_msgid)
  end,
  servicer_recall_msg = function(_, e, ctx)
    if given(e.recall_msgid) then ctx.recalled { sent = e.recall_msgid } end
  end,
  msg_send_fail = function(_, e, ctx)
    if not given(e.fail_msgid) then return end
    ctx.receipt { sent = (e.fail_msgid:gsub("%-%d+$", "")), status = "failed",
      why = FAIL[e.fail_type] or "没有送达 / it was not delivered" }
  end,
}

-- True when it is on disk, or is none of ours to keep.
local function take(m, ctx)
  if type(m) ~= "table" or not given(m.msgid) then return true end
  if m.msgtype == "event" then
    local e = type(m.event) == "table" and m.event or {}
    local handle = events[e.event_type]
    return not handle or handle(m, e, ctx) ~= false
  end
  if m.origin ~= 3 and m.origin ~= 5 or not given(m.external_userid) or not given(m.open_kfid) then return true end
  local out = messages.message_of(m)
  if m.origin == 5 then -- a member of the enterprise, in the WeCom app
    out.to, out.from = out.from, nil
    out.name = given(m.servicer_userid) and m.servicer_userid or nil
    out.agent = shared.agent_of(ctx.config.staff, m.servicer_userid)
  end
  if out.media then return media.take(ctx, out, api.fetch, FILE_TIME) end
  return shared.hand_over(ctx, out)
end

-- All news of an account: the cursor so far, and true, or false and why it must
-- be asked again.
local function pages(ctx, kfid, token, cursor)
  local till = time.now() + PULL_MS
  repeat
    local answer, why = api.call(ctx, "sync_msg",
      { cursor = cursor, token = token, limit = 1000, voice_format = 0, open_kfid = kfid })
    if not answer then return cursor, false, why end
    if answer.errcode == 95007 and token then -- its ten minutes are over
      token, answer = nil, { errcode = 0, has_more = 1, msg_list = {} }
    elseif answer.errcode ~= 0 then
      return cursor, false, api.sentence(answer)
    end
    for _, m in ipairs(type(answer.msg_list) == "table" and answer.msg_list or {}) do
      if not take(m, ctx) then return cursor, false, "the house could not take it" end
    end
    if given(answer.next_cursor) then cursor = answer.next_cursor end
    if answer.has_more ~= 1 then return cursor, true end
  until time.now() > till
  return cursor, false -- the rest is for the next poll
end

-- The cursor is stored when this poll ends; until then `dedupe` helps.
local function pull(ctx, kfid, token)
  local key = api.key_of("cursor", ctx, kfid)
  local before = kv.get(key)
  local cursor, ok, why = pages(ctx, kfid, token, before)
  if cursor ~= before then kv.set(key, cursor) end
  return ok, why
end

local swept = {} -- channel -> when all its accounts were asked last

local function accounts(ctx, prefix)
  local list, from = {}, #api.key_of(prefix, ctx) + 1
  for _, key in ipairs(kv.keys(api.key_of(prefix, ctx)) or {}) do list[#list + 1] = key:sub(from) end
  return list
end

-- Accounts to ask now: those with a callback, now and then all.
local function due(ctx)
  local list = {}
  for _, kfid in ipairs(accounts(ctx, "due")) do
    local note
    kv.update(api.key_of("due", ctx, kfid), function(kept)
      note = kept
      return kept and kv.DELETE
    end)
    if note then list[kfid] = note end
  end
  if time.now() - (swept[ctx.channel.id] or 0) > SWEEP_MS then
    swept[ctx.channel.id] = time.now()
    local known = accounts(ctx, "cursor")
    if given(ctx.config.open_kfid) then known[#known + 1] = ctx.config.open_kfid end
    for _, kfid in ipairs(known) do
      if M.is_ours(ctx.config, kfid) then list[kfid] = list[kfid] or { at = 0 } end
    end
  end
  return list
end

function M.poll(ctx)
  if not ctx.config.secret then return { again = 60 } end
  local again = media.late(ctx, api.fetch).again
  for kfid, note in pairs(due(ctx)) do
    local ok, why = pull(ctx, kfid, time.now() - note.at < TOKEN_MS and note.token or nil)
    if not ok then
      M.ask_soon(ctx, kfid, note)
      again = math.min(again, SOON_S)
      if why then
        log.warn("wecom: an account could not be asked", { why = why, open_kfid = kfid })
        again = 10
      end
    end
  end
  return { again = again }
end

return M
