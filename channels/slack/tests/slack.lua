-- SPDX-License-Identifier: Apache-2.0
-- tests/slack.lua - Slack, as a test plays it: what it pushes, signed.
local t = require "test"
local json, crypto, time = require "json", require "crypto", require "time"

local M = { SECRET = "8f742231b10e8888abcd99yyyzzz85a5", USER = "POST https://slack.com/api/users.info" }

-- Slack before that desk (tests.desk): call with any head, push well signed,
-- event in a push.
---@param desk TestDesk
function M.at(desk)
  local slack = {}
  function slack.call(body, stamp, signature, kind)
    return desk.adapter.receive({ method = "POST", path = "", query = {}, body = body, headers = {
      ["x-slack-request-timestamp"] = stamp, ["x-slack-signature"] = signature,
      ["content-type"] = kind or "application/json" } }, desk.ctx)
  end
  function slack.push(body, kind)
    local raw = type(body) == "table" and json.encode(body) or body
    local stamp = tostring(math.floor(time.now() / 1000))
    return slack.call(raw, stamp, "v0=" .. crypto.hmac("sha256", M.SECRET, "v0:" .. stamp .. ":" .. raw), kind)
  end
  function slack.event(e, id)
    local usual = { type = "message", channel_type = "im", channel = "D1", user = "U1", ts = "1735700000.000100" }
    for name, value in pairs(usual) do
      if e[name] == nil then e[name] = value end
    end
    return slack.push { type = "event_callback", team_id = "T1", event_id = id or "Ev1", event_time = 1735700000,
      event = e, authorizations = { { user_id = "UBOT" } } }
  end
  return slack
end

-- The user is known by name.
function M.known()
  t.http.on(M.USER, { json = { ok = true, user = { profile = { display_name = "Li", email = "li@x.example.com" } } } })
end

return M
