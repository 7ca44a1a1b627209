-- Looks an order up, for a model that serves visitors. Whose order it is the shop's
-- system decides: it gets the contact we know, not what the model says, so that
-- nobody is talked into telling about another's order. Only what a visitor may see
-- goes back to the model.
--
-- Set up: scripts/lib/shop.lua.
local shop = require "lib.shop"

local SHOWN = { "no", "state", "paid_at", "shipped_at", "carrier", "eta", "items" }

return {
  api = 1,
  description = "Looks up one order of the visitor: state, parcel, expected date. Use it when an order is spoken of.",
  parameters = {
    type = "object",
    properties = { no = { type = "string", description = "The order's number, as the visitor wrote it" } },
    required = { "no" },
  },
  permission = "bot",
  run = function(args, ctx)
    local no = type(args.no) == "string" and args.no:match "^%s*([%w%-]+)%s*$"
    if not no or #no > 40 then return nil, "bad_request", "that is no order number" end
    local key = shop.key()
    if shop.url == "" or not key then return nil, "unavailable", "the shop's system is not set up" end
    local contact = type(ctx.contact) == "table" and ctx.contact or {}
    local res, _, why = http.get { shop.url .. "/orders/" .. url.encode(no), timeout = "5s",
      query = { customer = contact.id or "" }, auth = { bearer = key } }
    if not res then return nil, "unavailable", why end
    if res.status == 404 or res.status == 403 then return { found = false } end -- not theirs, or none: the same to them
    if not res.ok or type(res.json) ~= "table" then return nil, "unavailable", "HTTP " .. res.status end
    local order = { found = true }
    for _, name in ipairs(SHOWN) do order[name] = res.json[name] end
    return order
  end,
}
