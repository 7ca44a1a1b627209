-- Looks an order up at the shop, and says so honestly when it cannot.
-- 查订单：带缓存、超时和熔断；查不到就如实告知并转人工。
--
-- The key is set by the operator, in config.lua (secrets = { shop = "…" }) or by
-- YUELAI_SECRET_SHOP. No script can read it: http takes it as it is, and it
-- shows up in no log, no trace and no reply.
local SHOP = require "lib.address"
local key = secret.get "shop"

-- Impatient people ask three times in a minute: the shop is asked once.
local orders = cache.new { name = "orders", size = 5000, ttl = "30s" }

local states = {
  paid = "已付款，正在备货",
  shipped = "已发货",
  delivered = "已签收",
}

-- Gives the order; false if there is none; or nil, code, detail when the shop
-- did not say. Only what is not nil stays in the cache: a bad moment does not.
local function look_up(id)
  return orders:once(id, function()
    local res, code, detail = http.get {
      SHOP .. "/orders/" .. url.encode(id),
      auth = { bearer = key },
      timeout = "3s",
    }
    -- Nobody there, too slow, or the breaker is open: after five failures in a
    -- row a call fails at once, so that nobody waits for a server that is down.
    if not res then return nil, code, detail end
    if res.status == 404 then return false end
    if not res.ok or not res.json then return nil, "unavailable", "HTTP " .. res.status end
    return { state = res.json.state, parcel = res.json.parcel }
  end)
end

---@type Rule
return {
  api = 1,
  match = { text = { "订单", "快递", "order" }, holder = "bot" },
  -- The house gives rules 50 ms before it places a conversation by itself. Who
  -- asks another server needs more than its time-out.
  deadline = "5s",
  limits = { http = 1 }, -- more calls than this would be a mistake

  on_message = function(conv, msg)
    local id = msg.text:match "%d%d%d%d+"
    if not id then
      conv:reply "请发送订单号，例如：订单 20300105。"
      return true
    end

    local order, code, detail = look_up(id)
    if order then
      local answer = ("订单 %s：%s。"):format(id, states[order.state] or "处理中")
      if order.parcel then answer = answer .. "快递单号 " .. order.parcel .. "。" end
      conv:reply(answer)
      return true
    end
    if order == false then
      conv:reply("没有找到订单 " .. id .. "，请核对一下号码。")
      return true
    end

    log.warn("order lookup:", code, detail)
    metric.count("lookups_failed")
    conv:reply "订单系统暂时连不上，已为您转接客服，请稍候。"
    return conv:assign { pick = "least_busy", note = "查询订单 " .. id .. " 失败：" .. code }
  end,
}
