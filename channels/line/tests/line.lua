-- SPDX-License-Identifier: Apache-2.0
-- tests/line.lua - LINE, as a test plays it.
local json, crypto = require "json", require "crypto"

local M = {}
-- A text, as LINE's documentation shows it.
M.BODY = [[{"destination":"U0","events":[{"type":"message","mode":"active","timestamp":1735700000000,]]
  .. [["source":{"type":"user","userId":"U1"},"webhookEventId":"01H","deliveryContext":{"isRedelivery":false},]]
  .. [["replyToken":"rt","message":{"id":"1","type":"text","quoteToken":"q","text":"你好"}}]}]]

-- LINE before that desk: call with any signature, push with the right one.
---@param desk TestDesk
function M.at(desk)
  local line = {}
  function line.call(body, signature)
    return desk.adapter.receive({ method = "POST", path = "", query = {}, body = body,
      headers = { ["x-line-signature"] = signature } }, desk.ctx)
  end
  function line.push(body)
    local raw = type(body) == "table" and json.encode(body) or body
    return line.call(raw, crypto.hmac("sha256", "channel_secret", raw, "base64"))
  end
  return line
end

return M
