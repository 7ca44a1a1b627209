-- SPDX-License-Identifier: Apache-2.0
-- tests/desk.lua - the house as an adapter sees it, for adapters' tests:
-- require "tests.desk". Nothing of a platform is in here.
local t = require "test"

---@class TestDesk
---@field adapter Channel the adapter, a fresh copy
---@field ctx table what its functions are given
---@field delivered table[] what it delivered
---@field echoes table[] what staff said there, as it handed it over
---@field asked table[] the files it asked for
---@field polls_wanted integer how often it asked for poll()
---@field receipts table[] what it said became of messages
---@field files table[] the answers to that, one after the other: { file }, or { nil, code, detail }
---@field anew fun(self: TestDesk): table[] a new list of what is delivered
local M = {}

-- The desk of a channel: channel.type says whose adapter; a config has secrets
-- hidden. options.deliver(message), .echo(message), .receipt(receipt), .file(from) are asked, too:
-- what one returns (if that is not nothing) is the house's answer.
---@param channel { type: string, id: string?, name: string? }
---@param config table
---@param options { deliver: function?, echo: function?, receipt: function?, file: function? }?
---@return TestDesk
function M.of(channel, config, options)
  local desk = { adapter = t.load("channels/" .. channel.type), delivered = {}, asked = {}, files = {},
    receipts = {}, echoes = {}, polls_wanted = 0 }
  local own = options or {}
  local function asked(what, x)
    if own[what] then return own[what](x) end
  end
  channel.id, channel.name = channel.id or "ch_1", channel.name or "shop"
  -- From now on it is a list of its own that is filled, and returned.
  function desk:anew()
    self.delivered = {}
    return self.delivered
  end
  desk.ctx = {
    channel = channel,
    config = config,
    deliver = function(message)
      desk.delivered[#desk.delivered + 1] = message
      local got, code, detail = asked("deliver", message)
      if got ~= nil or code then return got, code, detail end
      return { id = "m_1", conversation = "cv_1", seq = 1, duplicate = false }
    end,
    echo = function(message)
      desk.echoes[#desk.echoes + 1] = message
      local got, code, detail = asked("echo", message)
      if got ~= nil or code then return got, code, detail end
      return { id = "m_2", conversation = "cv_1", seq = 2, duplicate = false }
    end,
    poll_soon = function()
      desk.polls_wanted = desk.polls_wanted + 1
      return true
    end,
    receipt = function(receipt)
      desk.receipts[#desk.receipts + 1] = receipt
      local got, code, detail = asked("receipt", receipt)
      if got ~= nil or code then return got, code, detail end
      return true
    end,
    file = function(from)
      desk.asked[#desk.asked + 1] = from
      local got, code, detail = asked("file", from)
      if got ~= nil or code then return got, code, detail end
      return unpack(table.remove(desk.files, 1) or error("nobody has " .. tostring(from.url)), 1, 3)
    end,
  }
  return desk
end

-- The calls so far whose path has `part` in it.
---@param part string
---@return table[]
function M.calls_of(part)
  local list = {}
  for _, call in ipairs(t.http.calls()) do
    if call.path:find(part, 1, true) then list[#list + 1] = call end
  end
  return list
end

-- The newest call.
---@return table
function M.last_call()
  local calls = t.http.calls()
  return calls[#calls]
end

-- A server that gives these answers, one call each, the last for all that follow.
---@param what string "POST https://…"
---@param ... table answers of t.http.on
function M.in_turn(what, ...)
  local answers = { ... }
  for i, answer in ipairs(answers) do
    if i < #answers then answer.times = 1 end
    t.http.on(what, answer)
  end
end

-- A server that answers with each of these once, as JSON; then it is not there.
---@param what string "POST https://…"
---@param ... table
function M.once(what, ...)
  for _, answer in ipairs { ... } do t.http.on(what, { json = answer, times = 1 }) end
end

return M
