-- yuelai test channels/@NAME@
local t = require "test"
local json, crypto = require "json", require "crypto"

describe("channel @NAME@", function()
  local adapter, ctx, delivered
  before_each(function()
    adapter = t.load "channels/@NAME@"
    delivered = {}
    ctx = {
      config = { base = "https://api.example.com", token = "s3cret" },
      deliver = function(message) delivered[#delivered + 1] = message end,
    }
  end)

  local function request(event, signature)
    local body = json.encode(event)
    return { method = "POST", query = {}, body = body,
      headers = { ["x-signature"] = signature or crypto.hmac("sha256", "s3cret", body) } }
  end

  it("delivers what is signed", function()
    assert.equal(200, (adapter.receive(request { id = "m1", from = "u1", text = "Hi" }, ctx)))
    assert.same({ { dedupe = "m1", from = "u1", kind = "text", text = "Hi" } }, delivered)
  end)

  it("refuses what is not", function()
    assert.equal(401, (adapter.receive(request({ id = "m1", from = "u1", text = "Hi" }, "00"), ctx)))
    assert.same({}, delivered)
  end)

  it("sends a message", function()
    t.http.on("POST https://api.example.com/messages", { json = { id = "p1" } })
    assert.same({ sent = "p1" }, adapter.send({ id = "m2", to = "u1", kind = "text", text = "Hello" }, ctx))
    local call = t.http.calls()[1]
    assert.same({ to = "u1", text = "Hello" }, call.json)
    assert.equal("Bearer s3cret", call.headers.authorization)
  end)

  it("comes again when the platform is busy", function()
    t.http.on("POST https://api.example.com/messages", { status = 503, body = "busy" })
    assert.equal(30, adapter.send({ id = "m2", to = "u1", kind = "text", text = "Hello" }, ctx).retry)
  end)

  it("checks the token", function()
    t.http.on("GET https://api.example.com/me", { status = 401, times = 1 })
    t.http.on("GET https://api.example.com/me", { json = { name = "we" } })
    local ok, code = adapter.check(ctx.config, ctx)
    assert.is_nil(ok)
    assert.equal("unauthorized", code)
    assert.is_true(adapter.check(ctx.config, ctx))
  end)
end)
