-- SPDX-License-Identifier: Apache-2.0
-- tests/faults.lua - what every connector must survive, for its test
-- (tests/troubles.lua plays them):
--
--     for _, case in ipairs(require "tests.faults" { piece = …, done = … }) do
--       it(case.name, function()
--         t.http.on(URL, case.answer)
--         …  assert.equal(case.class, got.class)
--
-- piece(text) is the provider's frame with a text for the visitor, done its
-- frames at the end, half a frame cut off in the middle.
local SSE = { ["content-type"] = "text/event-stream" }

return function(wire)
  local long = ("x"):rep(16000)
  local piece, half = wire.piece, wire.half or wire.piece("abc"):sub(1, -8)
  local cases = {}
  local function case(name, class, answer, seconds)
    cases[#cases + 1] = { name = name, class = class, answer = answer, seconds = seconds }
  end
  local function chunks(...) return { headers = SSE, chunks = { ... } } end
  local function status(code, headers) return { status = code, headers = headers, body = "oh" } end
  case("401", "unauthorized", status(401))
  case("403", "unauthorized", status(403))
  case("404", "unauthorized", status(404))
  case("413", "too_long", status(413))
  case("429 with Retry-After", "rate_limited", status(429, { ["retry-after"] = "7" }), 7)
  case("429 without", "rate_limited", status(429))
  case("500", "unavailable", status(500))
  case("503 with Retry-After", "unavailable", status(503, { ["retry-after"] = "3" }), 3)
  case("504", "timeout", status(504))
  case("nobody there", "unavailable", { fails = "unavailable" })
  case("no answer in time", "timeout", { fails = "timeout" })
  case("the house stops", "cancelled", { fails = "cancelled" })
  case("HTML with 200", "broken", { headers = { ["content-type"] = "text/html" }, body = "<html>log in</html>" })
  case("JSON with 200 that is none", "broken", { headers = { ["content-type"] = "application/json" }, body = "{" })
  case("nothing at all", "broken", chunks())
  case("cut off after a text", "broken", chunks(piece "a"))
  case("half an event", "broken", chunks(piece "a", half))
  case("broken in the middle", "broken", chunks(piece "a", { fails = "unavailable" }))
  case("silent in the middle", "timeout", chunks(piece "a", { fails = "timeout" }))
  case("bytes that are no text", "broken", chunks("data: {\"a\":\"", { hex = "fffe" }, "\"}\n\n"))
  case("an event that is no object", "broken", chunks("data: 7\n\n", wire.done))
  case("an event that is no JSON", "broken", chunks("data: hello\n\n", wire.done))
  case("text without end", "broken", chunks { text = piece(long), times = 1000000 })
  case("a line without end", "broken", chunks { text = long, times = 1000000 })
  case("events without end", "broken", chunks { text = "data: {\"pad\":\"" .. long .. "\"}\n\n", times = 1000000 })
  return cases
end
