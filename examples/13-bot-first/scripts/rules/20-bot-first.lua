-- The bot answers first. A person takes over when one is asked for, when the visitor
-- is upset or important, and when much money is at stake: without asking a model,
-- so that it works while the model is down.
-- 机器人先接待；要求人工、投诉、VIP、大额退款，直接转人工；摘要随后自动附上。
--
-- The other reasons (not understood twice in a row, the provider says so, nobody
-- answers) are the house's and the guard's: ai/guard/policy.lua.
local BOT = "aftersales" -- the name of an assistant (console → assistants)
local MUCH = 1000

local ASKED = text.matcher { "转人工", "人工客服", "找人工", "真人", "talk to a human", "real person", "human agent" }
local NOT_ASKED = text.matcher { "不用转人工", "不要人工", "不需要人工", "no human" }
local UPSET = text.matcher { "投诉", "骗子", "12315", "律师", "起诉", "曝光", "complaint", "scam", "lawyer" }
local MONEY = text.matcher { "退款", "赔偿", "退钱", "refund", "compensation" }

-- The largest amount spoken of; what is longer is an order's number.
local function amount_in(said)
  local most = 0
  for number in said:gmatch "%d[%d,]*" do
    local n = tonumber((number:gsub(",", "")))
    if n and #number <= 7 then most = math.max(most, n) end
  end
  return most
end

local function why_a_person(conv, said)
  if ASKED:find(said) and not NOT_ASKED:find(said) then return "客户要求人工" end
  if UPSET:find(said) then return "客户情绪激动" end
  if MONEY:find(said) and amount_in(said) >= MUCH then return "涉及大额退款" end
  if conv.contact.tier == "vip" then return "VIP 客户" end
end

---@type Rule
return {
  api = 1,
  match = { kind = "text" },
  on_message = function(conv, msg)
    if conv.assignee or conv.state == "queued" then return end -- a person has it, or will
    local why = why_a_person(conv, msg.text)
    if not why then
      if conv:get "bot" then return end -- it has it already and answers by itself
      conv:set("bot", BOT)
      return conv:assign { ai = BOT }
    end
    conv:tag "handover"
    conv:set("bot", nil) -- handed back, it is the bot's again with the next message
    conv:reply "好的，正在为您转接人工客服，请稍候。"
    return conv:assign { queue = true, note = why } -- the bot's summary follows by itself
  end,
}
