-- yuelai test channels/slack
local t, kit = require "test", require "tests.desk"
local json, crypto, secret, time = require "json", require "crypto", require "secret", require "time"

local API = "POST https://slack.com/api/"
local FILE = { id = "fi_0000000000001", name = "a", mime = "image/png", size = 9 }

describe("channel slack, files", { only = "none" }, function()
  local desk, adapter, ctx, delivered, asked
  before_each(function()
    t.at "2018-07-12 18:37 UTC"
    desk = kit.of({ type = "slack", name = "Slack" },
      { signing_secret = secret.hide "sign", bot_token = secret.hide "xoxb-1" })
    adapter, ctx, delivered, asked = desk.adapter, desk.ctx, desk.delivered, desk.asked
    t.http.on(API .. "users.info", { json = { ok = true, user = { profile = { display_name = "Li" } } } })
  end)

  local function push(list, text)
    local raw = json.encode { type = "event_callback", event_id = "Ev1", event = { type = "message", channel_type = "im",
      channel = "D1", user = "U1", ts = "17.1", subtype = "file_share", text = text or "", files = list } }
    local stamp = tostring(math.floor(time.now() / 1000))
    return (adapter.receive({ method = "POST", path = "", query = {}, body = raw, headers = {
      ["x-slack-request-timestamp"] = stamp, ["content-type"] = "application/json",
      ["x-slack-signature"] = "v0=" .. crypto.hmac("sha256", "sign", "v0:" .. stamp .. ":" .. raw) } }, ctx))
  end
  local function file(mime, more)
    local f = { id = "F1", name = "a.bin", mimetype = mime, url_private = "https://files.slack.com/p/a" }
    for name, value in pairs(more or {}) do f[name] = value end
    return f
  end

  describe("in", function()
    it("are fetched with the bot's token, each a message of its own", function()
      desk.files = { { FILE }, { FILE }, { FILE } }
      local down = { url_private_download = "https://files.slack.com/d/a" }
      assert.equal(200, push({ file("image/png", down), file "audio/mp4", file "text/plain" }, "看 &lt;这个&gt;"))
      assert.same({ "image", "audio", "file" }, { delivered[1].kind, delivered[2].kind, delivered[3].kind })
      assert.same({ "17.1", "17.1:2", "17.1:3" }, { delivered[1].dedupe, delivered[2].dedupe, delivered[3].dedupe })
      assert.equal("看 <这个>", delivered[1].text)
      assert.is_nil(delivered[2].text)
      assert.equal("https://files.slack.com/d/a", asked[1].url)
      assert.equal("https://files.slack.com/p/a", asked[2].url)
      assert.equal(ctx.config.bot_token, asked[1].auth.bearer)
      assert.same({ true, true, false }, { asked[1].or_json, asked[2].or_json, asked[3].or_json })
    end)

    it("that cannot be had are a text that says so", function()
      push({ file("image/png", { mode = "external", permalink = "https://x.example.com/f" }) }, "看")
      assert.equal("text", delivered[1].kind)
      assert.contains("[文件] 看 a.bin https://x.example.com/f", delivered[1].text)
      desk.files = { { nil, "not_found", "the answer was 404" } }
      push { file "image/png" }
      assert.contains("[图片] a.bin", delivered[2].text)
    end)

    it("that are slow come by poll, once", function()
      desk.files = { { nil, "timeout", "slow" }, { FILE } }
      assert.equal(200, push { file "image/png" })
      assert.same({}, delivered)
      adapter.poll(ctx)
      adapter.poll(ctx)
      assert.equal(1, #delivered)
      assert.equal(FILE, delivered[1].file)
    end)
  end)

  describe("out", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "D1", kind = "image", text = "a & b", attempt = 1,
        file = { id = "fi_0000000000001", name = "猫.png", mime = "image/png", size = 12345678 } }
    end)
    local function on(method, answer, status) t.http.on(API .. method, { json = answer, status = status, times = 1 }) end
    local function begins()
      on("files.getUploadURLExternal", { ok = true, upload_url = "https://files.slack.com/up/1", file_id = "F9" })
      t.http.on("POST https://files.slack.com/up/1", { body = "OK - 12345678", times = 1 })
    end
    local last = kit.last_call

    it("go up in three steps, with what is said of them", function()
      begins()
      on("files.completeUploadExternal", { ok = true, files = { { id = "F9" } } })
      assert.same({ sent = "F9" }, adapter.send(item, ctx))
      local calls = t.http.calls()
      assert.contains("length=12345678", calls[1].body)
      assert.contains("<fi_0000000000001>", calls[2].body)
      assert.same({ files = { { id = "F9", title = "猫.png" } }, channel_id = "D1", initial_comment = "a &amp; b" },
        last().json)
    end)

    it("in a thread stay there", function()
      item.to = "C1:17.5"
      begins()
      on("files.completeUploadExternal", { ok = true })
      adapter.send(item, ctx)
      assert.equal("C1", last().json.channel_id)
      assert.equal("17.5", last().json.thread_ts)
    end)

    it("go up once, and are shown once, though the last answer was lost", function()
      begins()
      t.http.on(API .. "files.completeUploadExternal", { fails = "timeout", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
      on("files.info", { ok = true, file = { ims = {} } })
      on("files.completeUploadExternal", { ok = false, error = "internal_error" })
      assert.equal(5, adapter.send(item, ctx).retry)
      on("files.info", { ok = true, file = { ims = { "D1" } } })
      assert.same({ sent = "F9" }, adapter.send(item, ctx))
    end)

    it("fail with a reason", function()
      on("files.getUploadURLExternal", { ok = false, error = "missing_scope", needed = "files:write" })
      local answer = adapter.send(item, ctx)
      assert.equal("not_allowed", answer.failed)
      assert.contains("files:write", answer.why)
      on("files.getUploadURLExternal", { ok = false, error = "invalid_auth" })
      assert.equal("invalid_token", adapter.send(item, ctx).failed)
    end)
  end)
end)
