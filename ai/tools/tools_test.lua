-- yuelai test ai/tools
local t = require "test"

local SHOP = "https://shop.example.com"
local ctx = { contact = { id = "ct_1" } }
before_each(function()
  local shop = require "lib.shop"
  shop.url, shop.key = SHOP, function() return "k1" end
end)

describe("order_lookup", function()
  local ORDER = "GET " .. SHOP .. "/orders/*"
  it("tells what a visitor may see, and asks as the contact we know", function()
    t.http.on(ORDER, { json = { no = "4711", state = "shipped", eta = "tomorrow", address = "Long Road 1", cost_price = 3 } })
    assert.same({ found = true, no = "4711", state = "shipped", eta = "tomorrow" },
      t.load "ai/tools/order_lookup".run({ no = " 4711 ", customer = "ct_2" }, ctx))
    local call = t.http.calls()[1]
    assert.equal("ct_1", call.query.customer)
    assert.equal("Bearer k1", call.headers.authorization)
  end)
  it("does not tell another's order from none", function()
    for _, status in ipairs { 403, 404 } do
      t.http.on(ORDER, { status = status, times = 1 })
      assert.same({ found = false }, t.load "ai/tools/order_lookup".run({ no = "1" }, ctx))
    end
  end)
  it("takes no path for a number", function()
    for _, no in ipairs { "../admin", "1/refunds", "1?x=1", "", ("1"):rep(41), 7, { "1" } } do
      local got, code = t.load "ai/tools/order_lookup".run({ no = no }, ctx)
      assert.is_nil(got)
      assert.equal("bad_request", code)
    end
    assert.same({}, t.http.calls())
  end)
  it("says when nothing is set up", function()
    require "lib.shop".url = ""
    assert.equal("unavailable", (select(2, t.load "ai/tools/order_lookup".run({ no = "1" }, ctx))))
  end)
  it("says when the shop is down", function()
    t.http.on(ORDER, { fails = "timeout" })
    assert.equal("unavailable", (select(2, t.load "ai/tools/order_lookup".run({ no = "1" }, ctx))))
  end)
end)

describe("refund", function()
  local REFUND = "POST " .. SHOP .. "/orders/4711/refunds"
  local function run(args) return t.load "ai/tools/refund".run(args, ctx) end
  it("wants an agent's word; the same request is filed once", function()
    assert.equal("agent", t.load "ai/tools/refund".confirm.by)
    t.http.on(REFUND, { json = { id = "r1" } })
    for _ = 1, 2 do
      assert.same({ state = "filed", refund = "r1", amount = 20 }, run { no = "4711", amount = 20, reason = "坏了" })
    end
    local calls = t.http.calls()
    assert.equal(calls[1].headers["idempotency-key"], calls[2].headers["idempotency-key"])
    assert.same({ amount = 20, reason = "坏了", customer = "ct_1" }, calls[1].json)
  end)
  it("passes on the key of what was approved", function()
    t.http.on(REFUND, { json = { id = "r1" } })
    t.load "ai/tools/refund".run({ no = "4711", amount = 1, reason = "x" }, { contact = ctx.contact, key = "cf_1" })
    assert.equal("cf_1", t.http.calls()[1].headers["idempotency-key"])
  end)
  it("is bounded", function()
    for _, amount in ipairs { 0, -1, 201, 1e9, 0 / 0, "20" } do
      assert.equal("bad_request", (select(2, run { no = "4711", amount = amount, reason = "x" })))
    end
    assert.same({}, t.http.calls())
  end)
  it("says what the shop says", function()
    t.http.on(REFUND, { status = 409, times = 1 })
    assert.same({ state = "already filed" }, run { no = "4711", amount = 1, reason = "x" })
    t.http.on(REFUND, { status = 404 })
    assert.equal("not_found", (select(2, run { no = "4711", amount = 1, reason = "x" })))
  end)
end)
