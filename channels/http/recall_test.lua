-- yuelai test channels/http
local t = require "test"
local json, crypto, secret = require "json", require "crypto", require "secret"

describe("channel http, taken back", { only = "none" }, function()
  local adapter, ctx, told
  before_each(function()
    adapter, told = t.load "channels/http", {}
    ctx = {
      config = { url = "https://shop.example.com/in", secret = secret.hide "s3cret" },
      recalled = function(what)
        told[#told + 1] = what
        if what.dedupe == "m1" or what.sent == "p1" then return true end
        return nil, "not_found", "there is none"
      end,
    }
  end)
  local function push(body)
    local raw = json.encode(body)
    return adapter.receive({ method = "POST", path = "", query = {}, body = raw,
      headers = { ["x-hub-signature-256"] = "sha256=" .. crypto.hmac("sha256", "s3cret", raw) } }, ctx)
  end

  it("is told to the other side, signed", function()
    local item = { id = "ob_2", to = "u1", sent = "p1", seq = 2, attempt = 1 }
    t.http.on("POST https://shop.example.com/in", { status = 204, times = 1 })
    assert.same({ recalled = true }, adapter.recall(item, ctx))
    local call = t.http.calls()[1]
    assert.equal("message.recalled", call.json.type)
    assert.equal("p1", call.json.data.sent)
    assert.equal("sha256=" .. crypto.hmac("sha256", "s3cret", call.body), call.headers["x-hub-signature-256"])
    t.http.on("POST https://shop.example.com/in", { status = 503, times = 1 })
    assert.equal(5, adapter.recall(item, ctx).retry)
    t.http.on("POST https://shop.example.com/in", { status = 410, times = 1 })
    assert.equal("gone", adapter.recall(item, ctx).failed)
    ctx.config.url = nil
    assert.equal("no_url", adapter.recall(item, ctx).failed)
  end)

  it("comes in as an event of theirs, or of one of ours", function()
    assert.equal(200, (push { type = "message.recalled", data = { id = "m1", from = "u1" } }))
    assert.equal(200, (push { type = "message.recalled", data = { sent = "p1" } }))
    assert.equal(404, (push { type = "message.recalled", data = { id = "m2", from = "u1" } }))
    assert.same({ from = "u1", dedupe = "m1" }, told[1])
    assert.same({ sent = "p1" }, told[2])
    ctx.recalled = function() return nil, "unavailable", "full" end
    assert.equal(503, (push { type = "message.recalled", data = { id = "m1", from = "u1" } }))
  end)
end)
