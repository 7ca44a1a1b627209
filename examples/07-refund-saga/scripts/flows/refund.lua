-- A refund: freeze the order → pay back → tell the warehouse. If one of them
-- fails for good, what was done before is undone, the last thing first. A power
-- cut in the middle changes nothing: the flow goes on where it was.
-- 退款流程：冻结订单 → 退款 → 通知仓库；任何一步失败，已完成的步骤按相反顺序撤销。
local shop = require "lib.shop"

-- The key makes a call safe to repeat: if the power fails between the shop's
-- answer and our disk, the step is run again, and the shop must see that it
-- has done this already.
local function key(what)
  return flow.id() .. "/" .. what
end

local steps = {
  {
    name = "freeze", retry = 3, backoff = "1s",
    run = function(data) return shop.post("/orders/" .. data.order .. "/freeze", { key = key "freeze" }) end,
    undo = function(data) return shop.post("/orders/" .. data.order .. "/release", { key = key "release" }) end,
  },
  {
    name = "pay", retry = 3, backoff = "1s",
    run = function(data, results) -- results: what the steps before gave, by name
      return shop.post("/refunds", { key = key "pay", order = data.order, sum = results.freeze.sum })
    end,
    undo = function(_, paid) return shop.post("/refunds/" .. paid.id .. "/cancel", { key = key "cancel" }) end,
  },
  {
    name = "tell", -- no undo: nothing comes after it
    run = function(data) return shop.post("/warehouse/returns", { key = key "tell", order = data.order }) end,
  },
}

local function ask_for_order()
  local question = "请告诉我订单号（数字）。"
  for _ = 1, 3 do
    local msg = ask(question, { timeout = "10m" })
    if not msg then return nil end -- timed out, closed, or a person took over
    local order = msg.text:match "%d%d%d%d+"
    if order then return order end
    question = "没找到订单号，请只发送数字，例如 20300105。"
  end
end

---@type Flow
return {
  api = 1,

  run = function(conv, args)
    local order = args.order or ask_for_order()
    if not order then return conv:assign { note = "退款：没有拿到订单号。" } end

    conv:reply("收到，正在为订单 " .. order .. " 办理退款。")
    local ok, code, detail = flow.saga("refund", steps, { order = order })
    if ok then
      conv:reply "退款已提交，预计 1–3 个工作日到账。"
      return conv:close()
    end

    -- All undone by now. People are told what happened, the visitor what is next.
    conv:reply "抱歉，自动退款没有成功，您的订单没有变化。马上为您转接同事处理。"
    return conv:assign { note = "退款失败（" .. code .. "）：" .. tostring(detail) }
  end,
}
