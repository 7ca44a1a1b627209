-- Visitors write in their language, agents read and write Chinese.
-- 双向翻译：客户用自己的语言，客服只用中文；原文保留在消息里。
--
-- The message itself is changed before it is stored, so every agent, rule and
-- report sees one language. What was really said stays beside it as `original`.
local translate = require "lib.translate"

local HOUSE = "zh"

---@type Rule
return {
  api = 1,
  -- A message waits for its translation, but not for ever: after this time it
  -- goes on as it is. The house's own patience is 50 ms.
  deadline = "5s",

  on_inbound = function(conv, msg)
    if msg.kind ~= "text" or not msg.text:find "%S" then return end
    if translate.is_chinese(msg.text) then
      conv:set("language", nil) -- they can do without us
      return
    end
    local out, code, detail = translate.translate(msg.text, HOUSE)
    if not out then -- better a foreign text than none
      log.warn("not translated:", code, detail)
      conv:tag "untranslated"
      return
    end
    conv:set("language", out.from) -- what agents say goes back in it
    if out.from ~= HOUSE then
      conv:edit { text = out.text, original = msg.text, language = out.from }
    end
  end,

  on_send = function(conv, msg)
    local language = conv:get "language"
    if not language or msg.kind ~= "text" then return end
    local out, code = translate.translate(msg.text, language)
    if not out then
      -- A Chinese text would be of no use: the agent is told and can try again.
      return conv:reject("翻译服务暂不可用（" .. code .. "），消息未发送，请稍后再试。")
    end
    conv:edit { text = out.text, original = msg.text, language = language }
  end,
}
