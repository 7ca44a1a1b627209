-- What a visitor says, before it is stored: hide numbers, refuse spam, slow down
-- who writes too much. What is hidden here is in no database and in no backup.
-- 入站风控：先脱敏、拦截，再入库。
local redact = require("lib.redact").redact
local words = require "lib.words"

local LONGEST = 6000 -- bytes: 2,000 Chinese characters
local A_MINUTE = 20 -- messages of one person
local STRIKES = 3 -- refused messages a day, then the house stops listening

---@type Rule
return {
  api = 1,
  -- kv waits for the disk. A message waits for this rule as long as this; after
  -- the house's own 50 ms a busy disk would let everything through.
  deadline = "5s",

  on_inbound = function(conv, msg)
    local who = conv.contact.id

    -- A hook that takes too long is stopped, and the message passes as it is. So
    -- what guards something says how much it looks at.
    if #msg.text > LONGEST then
      return conv:reject "消息太长，请控制在 2000 字以内，或以文件形式发送。"
    end

    -- kv.incr counts exactly, however many threads and restarts there are; the
    -- number is gone by itself after its time.
    if (kv.incr("minute:" .. who, 1, "1m") or 0) > A_MINUTE then
      return conv:reject "您发送得太快了，请稍后再试。"
    end
    if (kv.get("strikes:" .. who) or 0) >= STRIKES then
      return conv:reject "您的消息暂时无法接收，请明天再试。"
    end

    local word = words.spam:find(msg.text)
    if word then
      local n = kv.incr("strikes:" .. who, 1, "1d")
      log.warn("spam from", who, word, n)
      metric.count("spam_refused")
      conv:tag "spam"
      return conv:reject "消息含有违禁内容，未发送。"
    end

    local clean, found = redact(msg.text)
    if #found > 0 then
      conv:edit { text = clean, redacted = found } -- later rules see the clean text
      conv:tag "sensitive"
    end
    -- Returns nothing: not a decision, the message goes on its way.
  end,
}
