-- Open: whoever has room. Closed: one notice, and the queue when it opens.
-- 营业时间内分配客服；营业时间外告知一次，开门时自动进入排队。
local hours = require "lib.hours"
local zone = "Asia/Shanghai"

-- "周一 9:00": people think in weekdays, not in dates.
local days = { "周日", "周一", "周二", "周三", "周四", "周五", "周六" }
local function day_and_time(at)
  local d = time.date(zone, at)
  return ("%s（%d月%d日）%d:%02d"):format(days[d.wday], d.month, d.day, d.hour, d.min)
end

---@type Rule
return {
  api = 1,
  match = { holder = "bot" }, -- an agent's conversation runs no Lua here

  on_message = function(conv)
    if hours:is_open() then
      return conv:assign { pick = "least_busy" }
    end
    if not conv:get "told_closed" then
      conv:set("told_closed", true) -- with the conversation, on disk: said once
      conv:reply("现在是休息时间。我们" .. day_and_time(hours:next_open()) .. "上班，届时会有同事联系您。")
      conv:after(hours:wait(), "open") -- on disk, too: fires also after a restart
    end
    return true -- decided: it stays with the bot, the shipped rule is not asked
  end,

  on_timer = function(conv, name)
    -- In the night much may have happened: act only if nobody has it yet.
    if name == "open" and conv.state == "bot" then
      conv:set("told_closed", nil)
      conv:reply "早上好！马上有同事为您服务。"
      return conv:assign { pick = "least_busy" }
    end
  end,
}
