-- SPDX-License-Identifier: Apache-2.0
-- stream.lua - a stream's loops. `calls` has the natives of bind_stream.c.
local _, calls, stream = ...
local gate = calls.gate

-- Nothing is left: false, and why if it broke.
local function following(take, self)
  while true do
    local got = take(self)
    if got ~= nil then return got end
    if not calls.stream_more(self) then return take(self) end
  end
end

function stream.sse(self, options)
  gate["Stream.sse"]()
  local last = options and options.last
  return function()
    local got = following(calls.stream_event, self)
    if got == nil and last then got = calls.stream_last(self) end
    return got
  end
end

function stream.lines(self)
  gate["Stream.lines"]()
  return function() return following(calls.stream_line, self) end
end

function stream.read(self)
  gate["Stream.read"]()
  local got = calls.stream_all(self)
  if got == nil and calls.stream_more(self) then got = calls.stream_all(self) end
  if got == nil then return nil, stream.failed(self) end
  return got
end
