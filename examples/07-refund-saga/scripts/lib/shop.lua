-- The shop's order system, as this house calls it: how is here, where is in
-- address.lua, and rules and flows only say what they want.
-- 订单系统接口：怎么调用写在这里，地址写在 address.lua。
local M = { base = require "lib.address" }

-- Gives the answer's JSON; or nil, code, detail for whatever went wrong.
-- "refused" is the shop's no (4xx): to try again is of no use.
function M.post(path, body)
  local res, code, detail = http.post { M.base .. path, json = body, timeout = "5s" }
  if not res then return nil, code, detail end
  if res.status >= 500 then return nil, "unavailable", "HTTP " .. res.status end
  if not res.ok then return nil, "refused", res.json and res.json.why or "HTTP " .. res.status end
  return res.json or {}
end

return M
