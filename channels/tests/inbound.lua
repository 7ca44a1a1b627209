-- SPDX-License-Identifier: Apache-2.0
-- tests/inbound.lua - plays fixtures/inbound.json beside an adapter's test: the
-- platform's own requests, to the byte, and what the adapter must make of them.
--
--   { "source": where it is from, "at": "2025-01-01 00:00 UTC" (or nothing),
--     "config": settings (those of type secret are hidden),
--     "cases": [{ "name", "config": over the first, "request": { "method",
--       "path", "query", "headers" (small letters), "body" }, "http": [{ "on":
--       "GET https://…", and what t.http.on takes }], "status", "answer" (if it matters),
--       "polls": how often poll() is called (a case may be without a request),
--       "delivered": [fields that must be
--       so, the others may be as they are], "echoed": [likewise, of what staff
--       said there; none if it is left out] }] }
local t, kit = require "test", require "tests.desk"

local M = {}

local function is_secret(kind) return kind == "secret" or type(kind) == "table" and kind.type == "secret" end

local function config_of(schema, ...)
  local config = {}
  for i = 1, 2 do
    for name, value in pairs(select(i, ...) or {}) do
      assert(schema[name] ~= nil, "no setting " .. name)
      config[name] = is_secret(schema[name]) and require "secret".hide(value) or value
    end
  end
  return config
end

local function are_so(expected, got, what)
  assert.equal(#expected, #got, what)
  for i, fields in ipairs(expected) do
    for name, value in pairs(fields) do assert.same(value, got[i][name], what .. ": " .. name) end
  end
end

local function play(kind, all, case)
  local desk = kit.of({ type = kind }, {})
  local adapter, ctx, request = desk.adapter, desk.ctx, case.request
  ctx.config = config_of(adapter.schema, all.config, case.config)
  for _, known in ipairs(case.http or {}) do
    known.times = 1
    t.http.on(known.on, known)
  end
  if request then
    local status, answer = adapter.receive({ method = request.method or "POST", path = request.path or "",
      query = request.query or {}, headers = request.headers or {}, body = request.body or "" }, ctx)
    assert.equal(case.status, status, case.name)
    if case.answer ~= nil then assert.same(case.answer, answer, case.name) end
  end
  for _ = 1, case.polls or 0 do adapter.poll(ctx) end
  are_so(case.delivered, desk.delivered, case.name)
  are_so(case.echoed or {}, desk.echoes, case.name .. ", echoed")
end

---@param kind string the adapter's folder
function M.plays(kind)
  describe("channel " .. kind .. ", what its platform sends", { only = "none" }, function()
    it("is taken as fixtures/inbound.json says", function()
      local all = t.fixture "inbound"
      if all.at then t.at(all.at) end
      assert.is_true(#all.cases > 0)
      for _, case in ipairs(all.cases) do play(kind, all, case) end
    end)
  end)
end

return M
