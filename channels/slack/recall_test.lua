-- yuelai test channels/slack
local t = require "test"
local json, crypto, secret, time = require "json", require "crypto", require "secret", require "time"

local SECRET = "8f742231b10e8888abcd99yyyzzz85a5"

describe("channel slack, taken back", { only = "none" }, function()
  local adapter, ctx, told
  before_each(function()
    t.at "2018-07-12 18:37 UTC"
    adapter, told = t.load "channels/slack", {}
    ctx = {
      channel = { id = "ch_1", type = "slack", name = "Slack" },
      config = { signing_secret = secret.hide(SECRET), bot_token = secret.hide "xoxb-1" },
      recalled = function(what)
        told[#told + 1] = what
        if what.from and what.dedupe == "17.1" then return true end
        return nil, "not_found", "there is none"
      end,
    }
  end)
  local function deleted(e)
    e.type, e.subtype = "message", "message_deleted"
    local raw = json.encode { type = "event_callback", event_id = "Ev9", event = e }
    local stamp = tostring(math.floor(time.now() / 1000))
    return (adapter.receive({ method = "POST", path = "", query = {}, body = raw, headers = {
      ["x-slack-request-timestamp"] = stamp, ["content-type"] = "application/json",
      ["x-slack-signature"] = "v0=" .. crypto.hmac("sha256", SECRET, "v0:" .. stamp .. ":" .. raw) } }, ctx))
  end
  local function back(sent, method, answer)
    t.http.on("POST https://slack.com/api/" .. method, { json = answer or { ok = true }, times = 1 })
    return adapter.recall({ id = "ob_2", to = "C1:17.0", sent = sent, attempt = 1 }, ctx)
  end

  it("is deleted, a message by its time and a file by its id", function()
    assert.same({ recalled = true }, back("17.9", "chat.delete"))
    assert.same({ channel = "C1", ts = "17.9" }, t.http.calls()[1].json)
    assert.same({ recalled = true }, back("F07", "files.delete"))
    assert.same({ recalled = true }, back("17.9", "chat.delete", { ok = false, error = "message_not_found" }))
    assert.equal("refused", back("17.9", "chat.delete", { ok = false, error = "cant_delete_message" }).failed)
    assert.equal(5, back("17.9", "chat.delete", { ok = false, error = "internal_error" }).retry)
  end)

  it("is told of theirs, in a chat and in a thread, and of ours", function()
    assert.equal(200, deleted { channel = "D1", channel_type = "im", deleted_ts = "17.1", previous_message = { user = "U1" } })
    assert.same({ sent = "17.1" }, told[1])
    assert.same({ from = "D1", dedupe = "17.1" }, told[2])
    told = {}
    assert.equal(200, deleted { channel = "C1", channel_type = "channel", deleted_ts = "17.1",
      previous_message = { user = "U1", thread_ts = "16.5" } })
    assert.same({ from = "C1:16.5", dedupe = "17.1" }, told[2])
    ctx.recalled = function() return true end
    assert.equal(200, deleted { channel = "D1", channel_type = "im", deleted_ts = "18.1" })
    ctx.recalled = function() return nil, "unavailable", "full" end
    assert.equal(503, deleted { channel = "D1", channel_type = "im", deleted_ts = "18.1" })
    assert.equal(200, deleted { channel = json.null, deleted_ts = {} })
  end)
end)
