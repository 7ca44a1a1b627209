-- Files a refund. It moves money, so it never runs without an agent's word: the model's
-- call waits (GET /api/v1/confirmations), the visitor is told so, and what the agent saw
-- is what runs, once. The amount is bounded here and again by the shop; ctx.key is the
-- same when the house runs it again after a crash, and makes that harmless.
--
-- Set up: scripts/lib/shop.lua.
local shop = require "lib.shop"

local MOST = 200 -- of the shop's currency; more is a matter for people

return {
  api = 1,
  description = "Files a refund for an order of the visitor. A colleague has to approve it.",
  parameters = {
    type = "object",
    properties = {
      no = { type = "string", description = "The order's number" },
      amount = { type = "number", description = "How much, in the order's currency" },
      reason = { type = "string", description = "Why, in the visitor's words" },
    },
    required = { "no", "amount", "reason" },
  },
  permission = "bot",
  confirm = { by = "agent", zh = "为订单 {no} 退款 {amount} 元，原因：{reason}",
    en = "Pay back {amount} for order {no}: {reason}" },
  run = function(args, ctx)
    local no = type(args.no) == "string" and args.no:match "^%s*([%w%-]+)%s*$"
    local amount = type(args.amount) == "number" and args.amount or nil
    if not no or #no > 40 then return nil, "bad_request", "that is no order number" end
    if not amount or amount ~= amount or amount <= 0 or amount > MOST then
      return nil, "bad_request", ("the amount must be above 0 and at most %d"):format(MOST)
    end
    local key = shop.key()
    if shop.url == "" or not key then return nil, "unavailable", "the shop's system is not set up" end
    local contact = type(ctx.contact) == "table" and ctx.contact or {}
    local res, _, why = http.post { shop.url .. "/orders/" .. url.encode(no) .. "/refunds",
      timeout = "10s", auth = { bearer = key },
      headers = { ["idempotency-key"] = ctx.key
        or crypto.sha256(("refund:%s:%.2f:%s"):format(no, amount, tostring(contact.id))) },
      json = { amount = amount, reason = text.sub(tostring(args.reason or ""), 1, 200), customer = contact.id } }
    if not res then return nil, "unavailable", why end
    if res.status == 409 then return { state = "already filed" } end
    if res.status == 404 or res.status == 403 then return nil, "not_found", "no such order of this visitor" end
    if not res.ok or type(res.json) ~= "table" then return nil, "unavailable", "HTTP " .. res.status end
    return { state = "filed", refund = res.json.id, amount = amount }
  end,
}
