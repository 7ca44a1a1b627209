-- An adapter is plain functions: what the platform sends in, what it gets out.
local t = require "test"

describe("shout", function()
  local shout
  local ctx = { config = { url = "https://shout.example.com/send", secret = "k1" } }
  local item = { id = "m1", to = "u1", kind = "text", text = "你好" }

  before_each(function() shout = t.load "channels/shout" end)

  it("signs what it sends", function()
    t.http.on("POST https://shout.example.com/send", { json = { id = "s1" } })
    assert.same({ sent = "s1" }, shout.send(item, ctx))
    local call = t.http.calls()[1]
    assert.equal("u1", call.json.user)
    assert.equal(crypto.hmac("sha256", "k1", call.body, "hex"), call.headers["x-shout-signature"])
  end)

  it("knows what can be tried again", function()
    t.http.on("POST https://shout.example.com/send", { status = 500, times = 1 })
    t.http.on("POST https://shout.example.com/send", { fails = "timeout", times = 1 })
    t.http.on("POST https://shout.example.com/send", { status = 410 })
    assert.equal(5, shout.send(item, ctx).retry)
    assert.equal(2, shout.send(item, ctx).retry)
    assert.equal("gone", shout.send(item, ctx).failed)
  end)

  it("refuses what is not signed", function()
    local req = { headers = { ["x-shout-signature"] = "0000" }, body = "{}" }
    assert.equal(401, (shout.receive(req, ctx)))
    req.headers = {}
    assert.equal(401, (shout.receive(req, ctx)))
  end)

  it("says what is wrong with its settings", function()
    assert.is_true(shout.check(ctx.config))
    local ok, field = shout.check { url = "ftp://x" }
    assert.is_nil(ok)
    assert.equal("url", field)
  end)
end)
