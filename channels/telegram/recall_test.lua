-- yuelai test channels/telegram
local t = require "test"
local secret = require "secret"

local API = "https://api.telegram.org/bot123:ABC/"

describe("channel telegram, taken back", { only = "none" }, function()
  local adapter, ctx
  before_each(function()
    adapter = t.load "channels/telegram"
    ctx = { channel = { id = "ch_1", type = "telegram", name = "bot" }, config = { token = secret.hide "123:ABC" } }
  end)
  local function back(answer, status)
    t.http.on("POST " .. API .. "deleteMessage", { status = status, json = answer or { ok = true, result = true }, times = 1 })
    return adapter.recall({ id = "ob_2", to = "42", sent = "42:8", attempt = 1 }, ctx)
  end

  it("is deleted for both", function()
    assert.same({ recalled = true }, back())
    assert.same({ chat_id = "42", message_id = 8 }, t.http.calls()[1].json)
  end)

  it("is gone if it is gone already, and stays if it is too old", function()
    local function no(why) return back({ ok = false, error_code = 400, description = "Bad Request: " .. why }, 400) end
    assert.same({ recalled = true }, no "message to delete not found")
    assert.equal("too_late", no("message can't be deleted for everyone").failed)
    assert.equal(7, back({ ok = false, error_code = 429, description = "slow", parameters = { retry_after = 7 } }, 429).retry)
  end)

  it("goes in all its pieces", function()
    for i = 1, 2 do
      t.http.on("POST " .. API .. "sendMessage", { json = { ok = true, result = { message_id = i } }, times = 1 })
    end
    local sent = adapter.send({ id = "ob_1", to = "42", kind = "text", text = ("长"):rep(5000), attempt = 1 }, ctx).sent
    assert.equal("42:2", sent)
    t.http.on("POST " .. API .. "deleteMessage", { json = { ok = true, result = true } })
    assert.same({ recalled = true }, adapter.recall({ id = "ob_2", to = "42", sent = sent, attempt = 1 }, ctx))
    assert.equal(1, t.http.calls()[3].json.message_id)
    assert.equal(2, t.http.calls()[4].json.message_id)
  end)
end)
