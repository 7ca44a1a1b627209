-- What an agent writes, before it is stored and sent: no forbidden promises.
-- The agent sees the reason and can say it better; the visitor sees nothing.
-- 出站质检：拦截违规承诺和私下交易。
local redact = require("lib.redact").redact
local words = require "lib.words"

---@type Rule
return {
  api = 1,

  on_send = function(conv, msg)
    local word = words.promises:find(msg.text)
    if word then
      metric.count("promises_refused")
      log.warn("refused a promise of", msg.sender.id, word)
      return conv:reject("不能对客户说「" .. word .. "」，请换个说法。")
    end
    local clean, found = redact(msg.text) -- a customer's card read back to them
    if #found > 0 then conv:edit { text = clean, redacted = found } end
  end,
}
