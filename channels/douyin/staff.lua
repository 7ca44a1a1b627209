-- What happens on the account's side of Douyin: somebody answers in the app (or
-- with another tool), takes that back; a customer allows to be written to.
local time, log = require "time", require "log"
local shared, media = require "lib.channels", require "lib.media"
local files = require "channels.douyin.files"
local given = shared.given

local M = {}

-- Is it of this app, and to (or by) this account?
function M.is_ours(event, config)
  if given(event.client_key) and event.client_key ~= config.client_key then return false end
  local us = given(config.open_id) and config.open_id
  return not us or event.event == "unauthorize" or event.to_user_id == us or
    event.from_user_id == us and (event.event == "im_send_msg" or event.event == "im_recall_msg")
end

-- `source` is the app that sent it: ours has it in its outbox already; empty is
-- Douyin's own app.
function M.im_send_msg(event, content, ctx, id)
  local us, to = event.from_user_id, event.to_user_id
  if content.source == ctx.config.client_key or not given(to) or not given(content.server_message_id) then
    return true
  end
  local text = files.text_of(content)
  local m = { dedupe = id, to = to, name = files.name_of(content, us), profile = { name = files.name_of(content, to) },
    kind = "text", text = text }
  if text then return shared.hand_over(ctx, m) end
  m.kind, m.media = files.bearing(content, us)
  return media.take(ctx, m, files.fetch)
end

-- Ours, or what was echoed. False if the house cannot take that now.
function M.recalled(ctx, id)
  local ok, code = ctx.recalled { sent = id }
  return ok or not shared.LATER[code]
end

-- What may be sent by it (cards, coupons) is not sent from here: people can read of it.
function M.im_authorize(event, content, ctx)
  local till = tonumber(content.expire_time)
  log.info("douyin: a customer's consent to be written to", { channel = ctx.channel.id, customer = event.from_user_id,
    given = content.auth_status == 1, source = given(content.source) and content.source or nil,
    till = till and time.format(till * 1000, "iso", "UTC") or nil })
  return true
end

return M
