-- One face for whatever service translates: change this file for another one.
-- 翻译服务接口：更换服务商只改这里。
local SERVICE = require "lib.address"

-- "Thank you" is translated once a day, not once a customer.
local known = cache.new { name = "translations", size = 10000, bytes = "4MB", ttl = "1d" }

local M = {}

-- Gives { text =, from = } in the language `to`; or nil, code, detail.
function M.translate(said, to)
  return known:once(to .. " " .. said, function()
    local res, code, detail = http.post {
      SERVICE .. "/translate",
      json = { text = said, to = to },
      timeout = "3s", -- somebody waits for this message to appear
    }
    if not res then return nil, code, detail end
    if not res.ok or not res.json then return nil, "unavailable", "HTTP " .. res.status end
    return { text = res.json.text, from = res.json.from }
  end)
end

-- Chinese or not: no service needs to be asked for that. Chinese characters are
-- three bytes that begin with E4 to E9; "我的 iPhone 到哪了" is Chinese, too.
function M.is_chinese(said)
  local _, n = said:gsub("[\228-\233][\128-\191][\128-\191]", "")
  return n * 3 >= utf8.len(said:gsub("[%s%p%d]", ""))
end

return M
