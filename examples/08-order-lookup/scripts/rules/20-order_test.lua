local t = require "test"

local ORDERS = "GET https://shop.example.com/api/orders/*"

describe("order lookup", function()
  local bo, anna

  before_each(function()
    t.secrets { shop = "k-123" }
    bo = t.agent { name = "Bo" }
    anna = t.visitor { name = "Anna" }
  end)

  it("asks the shop once for what many want to know", function()
    t.http.on(ORDERS, { json = { state = "shipped", parcel = "SF1" } })
    anna:says "订单 4711 到哪了"
    anna:sees "已发货。快递单号 SF1"
    anna:says "订单 4711？"
    anna:sees "已发货"
    assert.equal(1, #t.http.calls())
    assert.equal("/api/orders/4711", t.http.calls()[1].path)
    assert.equal("Bearer k-123", t.http.calls()[1].headers.authorization)
    t.advance "31s"
    anna:says "订单 4711？？"
    anna:sees "已发货"
    assert.equal(2, #t.http.calls())
    bo:sees_nothing()
  end)

  it("knows no such order from no answer", function()
    t.http.on(ORDERS, { status = 404 })
    anna:says "订单 4712"
    anna:sees "没有找到订单 4712"
    bo:sees_nothing()
  end)

  it("says so when the shop is slow, and rings somebody", function()
    t.http.on(ORDERS, { fails = "timeout", delay = "3s" })
    anna:says "订单 4711"
    anna:sees "暂时连不上"
    bo:is_assigned(anna)
  end)

  it("does not remember a bad moment", function()
    t.http.on(ORDERS, { status = 502, times = 1 })
    t.http.on(ORDERS, { json = { state = "paid" } })
    anna:says "订单 4711"
    anna:sees "暂时连不上"
    local eve = t.visitor { name = "Eve" }
    eve:says "订单 4711"
    eve:sees "正在备货"
  end)

  it("asks for the number", function()
    anna:says "我的快递呢"
    anna:sees "请发送订单号"
  end)
end)
