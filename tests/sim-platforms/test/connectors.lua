-- Asks connectors for real: fetches jobs from the test, runs ask(turn, ctx) in the
-- real sandbox over the real network, tells what came of it. The test writes
-- @DRIVER@ in.
local http, json, time = require "http", require "json", require "time"
local connectors = { openai = require "lib.try.openai", dify = require "lib.try.dify", coze = require "lib.try.coze",
  fastgpt = require "lib.try.fastgpt", anthropic = require "lib.try.anthropic" }

local function context(job, got)
  local ctx = { config = job.config, timeout = job.timeout }
  function ctx.write(text)
    if job.cancel_after and #got.pieces >= job.cancel_after then return nil, "cancelled" end
    got.pieces[#got.pieces + 1] = text
    return true
  end
  function ctx.tool_call(call) got.tool_calls[#got.tool_calls + 1] = call end
  function ctx.source(source) got.sources[#got.sources + 1] = source end
  function ctx.usage(usage) got.usage = usage end
  function ctx.state(state) got.state = state end
  function ctx.handover(reason) got.handover = reason end
  return ctx
end

local function run(job)
  local got = { id = job.id, pieces = json.array {}, tool_calls = json.array {}, sources = json.array {} }
  local connector, ctx = connectors[job.connector], context(job, got)
  if job.check then
    got.ok, got.class, got.detail = connector.check(job.config, ctx)
  elseif job.embed then
    local list, class, detail = connector.embed(job.embed, ctx)
    got.ok, got.class, got.detail, got.vectors = list ~= nil, class, detail, list
  else
    got.ok, got.class, got.detail, got.seconds = connector.ask(job.turn, ctx)
  end
  return got
end

return { api = 1, every = "1s", on_timer = function()
  local till = time.now() + 15000 -- a handler has 30 s and 50 calls
  for _ = 1, 8 do
    if time.now() > till then return end
    local res = http.get { "@DRIVER@/job", timeout = "10s" }
    if not res or res.status ~= 200 then return end
    http.post { "@DRIVER@/result", json = run(res.json) }
  end
end }
