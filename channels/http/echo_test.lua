-- yuelai test channels/http: what staff says in the other side's own system.
local t, kit = require "test", require "tests.desk"
local json, crypto, secret = require "json", require "crypto", require "secret"

describe("channel http, staff in their own system", { only = "none" }, function()
  local desk, adapter, ctx
  before_each(function()
    t.at "2025-01-01 00:00 UTC"
    desk = kit.of({ type = "http" }, { secret = secret.hide "s3cret" })
    adapter, ctx = desk.adapter, desk.ctx
  end)

  local function push(data)
    local body = json.encode { type = "message.echo", data = data }
    return adapter.receive({ method = "POST", path = "", query = {}, body = body,
      headers = { ["x-signature"] = crypto.hmac("sha256", "s3cret", body) } }, ctx)
  end

  it("stands here as theirs and answers like a message", function()
    local status, answer = push { id = 7, to = "u1", name = "Wang", agent = "wang@example.com", text = "by phone" }
    assert.equal(200, status)
    assert.same({ id = "m_2", conversation = "cv_1", seq = 2, duplicate = false }, answer)
    assert.same({ { dedupe = "7", to = "u1", name = "Wang", agent = "wang@example.com", kind = "text",
      text = "by phone" } }, desk.echoes)
    assert.same({}, desk.delivered)
  end)

  it("brings its file, by whoever `from_name` says", function()
    desk.files = { { { id = "fi_1", name = "a.png", mime = "image/png", size = 9 } } }
    local status = push { id = "e1", to = "u1", kind = "image", url = "https://shop.example.com/a.png", name = "a.png",
      from_name = "Wang" }
    assert.equal(200, status)
    assert.equal("fi_1", desk.echoes[1].file.id)
    assert.equal("Wang", desk.echoes[1].name)
    assert.equal("u1", desk.echoes[1].to)
  end)

  it("says what is wrong with it, and when to send it again", function()
    ctx.echo = function() return nil, "bad_request", "echo: `to` is missing" end
    assert.equal(422, (push { id = "e1", text = "x" }))
    ctx.echo = function() return nil, "unavailable", "is it this one?" end
    assert.equal(503, (push { id = "e1", to = "u1", text = "x" }))
  end)
end)
