local t = require "test"

local SHOP = "POST https://shop.example.com/api"

-- Which paths were called, in order, as one text.
local function called()
  local list = {}
  for i, call in ipairs(t.http.calls()) do list[i] = call.path:gsub("^/api", "") end
  return table.concat(list, " ")
end

describe("the refund", function()
  local anna

  before_each(function()
    anna = t.visitor { name = "Anna" }
    t.http.on(SHOP .. "/orders/4711/*", { json = { sum = 99 } })
  end)

  it("asks for the order, and pays back what it cost", function()
    t.http.on(SHOP .. "/refunds", { json = { id = "r1" } })
    t.http.on(SHOP .. "/warehouse/returns", { json = { ok = true } })
    anna:says "我要退款"
    anna:sees "订单号"
    anna:says "是那台灯"
    anna:sees "只发送数字"
    anna:says "4711"
    anna:sees "退款已提交"
    assert.equal("/orders/4711/freeze /refunds /warehouse/returns", called())
    assert.equal(99, t.http.calls()[2].json.sum)
    assert.equal("closed", t.conversation(anna).state)
  end)

  it("undoes everything when the last step fails", function()
    t.http.on(SHOP .. "/refunds", { json = { id = "r1" } })
    t.http.on(SHOP .. "/refunds/r1/cancel", { json = { ok = true } })
    t.http.on(SHOP .. "/warehouse/returns", { status = 409, json = { why = "已出库" } })
    local bo = t.agent { name = "Bo" }
    anna:says "4711 退款"
    anna:sees "没有成功"
    bo:is_assigned(anna)
    assert.equal("/orders/4711/freeze /refunds /warehouse/returns /refunds/r1/cancel /orders/4711/release", called())
  end)

  it("tries again while the bank is down, also over a crash", function()
    t.http.on(SHOP .. "/refunds", { status = 503, times = 2 })
    t.http.on(SHOP .. "/refunds", { json = { id = "r1" } })
    t.http.on(SHOP .. "/warehouse/returns", { json = { ok = true } })
    anna:says "4711 退款"
    t.restart()
    t.advance "10s"
    anna:sees "退款已提交"
    -- The same key each time: the shop pays once.
    local calls = t.http.calls()
    assert.equal(calls[2].json.key, calls[4].json.key)
  end)

  it("does not wait for ever", function()
    local bo = t.agent { name = "Bo" }
    anna:says "退款"
    anna:sees "订单号"
    t.advance "10m"
    bo:is_assigned(anna)
  end)
end)
