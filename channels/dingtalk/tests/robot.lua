-- SPDX-License-Identifier: Apache-2.0
-- tests/robot.lua - DingTalk's robot, as a test plays it.
local json, crypto, time = require "json", require "crypto", require "time"

local M = { SESSION = "https://oapi.dingtalk.com/robot/sendBySession?session=S1" }

-- The head of a push that is well signed.
function M.signed(at, key)
  local stamp = ("%d"):format(at or time.now())
  key = key or "test_app_secret"
  return { timestamp = stamp, sign = crypto.hmac("sha256", key, stamp .. "\n" .. key, "base64") }
end

-- The body of one: a text, with these fields instead of the usual ones.
function M.message(fields)
  local x = { msgId = "m1", msgtype = "text", text = { content = " 你好" },
    conversationId = "cid", conversationType = "1", senderId = "$:x", senderStaffId = "u1",
    senderNick = "张三", chatbotUserId = "b", robotCode = "dingKEY",
    sessionWebhook = M.SESSION, sessionWebhookExpiredTime = time.now() + 5400000 }
  for name, value in pairs(fields or {}) do x[name] = value end
  return json.encode(x)
end

return M
