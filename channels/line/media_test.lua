-- yuelai test channels/line
local t, kit = require "test", require "tests.desk"
local json, crypto, secret = require "json", require "crypto", require "secret"

local FILE = { id = "fi_0000000000001", name = "a", mime = "image/jpeg", size = 9 }

describe("channel line, files", { only = "none" }, function()
  local desk, adapter, ctx, delivered, asked
  before_each(function()
    desk = kit.of({ type = "line", name = "LINE" },
      { channel_secret = secret.hide "cs", access_token = secret.hide "AT" })
    adapter, ctx, delivered, asked = desk.adapter, desk.ctx, desk.delivered, desk.asked
    t.http.on("GET https://api.line.me/v2/bot/profile/*", { status = 404 })
  end)

  local function push(m)
    local raw = json.encode { events = { { type = "message", mode = "active", source = { type = "user", userId = "U1" },
      webhookEventId = "01H" .. m.type, deliveryContext = { isRedelivery = false }, replyToken = "rt", message = m } } }
    return (adapter.receive({ method = "POST", path = "", query = {}, body = raw,
      headers = { ["x-line-signature"] = crypto.hmac("sha256", "cs", raw, "base64") } }, ctx))
  end

  describe("in", function()
    it("of each kind are fetched from LINE's content server with the token", function()
      local cases = { { "image", "photo.jpg" }, { "video", "video.mp4" }, { "audio", "voice.m4a" }, { "file", "单.pdf" } }
      for i, case in ipairs(cases) do
        desk.files = { { FILE } }
        assert.equal(200, push { id = "46" .. i, type = case[1], fileName = case[1] == "file" and "单.pdf" or nil })
        assert.equal(case[1], delivered[i].kind)
        assert.equal(FILE, delivered[i].file)
        assert.equal("https://api-data.line.me/v2/bot/message/46" .. i .. "/content", asked[i].url)
        assert.equal(case[2], asked[i].name)
        assert.equal(ctx.config.access_token, asked[i].auth.bearer)
      end
    end)

    it("of another server are fetched there, without our token", function()
      desk.files = { { FILE } }
      push { id = "1", type = "image",
        contentProvider = { type = "external", originalContentUrl = "https://x.example.com/a.jpg" } }
      assert.equal("https://x.example.com/a.jpg", asked[1].url)
      assert.is_nil(asked[1].auth)
    end)

    it("that cannot be had are a text; those that are slow come by poll, once", function()
      desk.files = { { nil, "not_found", "the answer was 404" } }
      push { id = "1", type = "file", fileName = "a.pdf" }
      assert.contains("[文件] a.pdf", delivered[1].text)
      desk.files = { { nil, "unavailable", "the answer was 500" }, { FILE } }
      assert.equal(200, push { id = "2", type = "image" })
      assert.equal(1, #delivered)
      adapter.poll(ctx)
      adapter.poll(ctx)
      assert.equal(2, #delivered)
      assert.equal("image", delivered[2].kind)
    end)
  end)

  describe("out", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "U1", kind = "image", attempt = 1, file = { id = "fi_0000000000001", name = "a.jpg",
        mime = "image/jpeg", size = 9, url = "https://y.example.com/files/fi_1?e=1&s=2" } }
      t.http.on("POST https://api.line.me/v2/bot/message/push", { json = { sentMessages = { { id = "461" } } } })
    end)
    local function sent()
      assert.same({ sent = "461" }, adapter.send(item, ctx))
      return t.http.calls()[#t.http.calls()].json.messages
    end

    it("are pictures, which LINE fetches by their signed link", function()
      item.text = "看"
      assert.same({ { type = "image", originalContentUrl = item.file.url, previewImageUrl = item.file.url },
        { type = "text", text = "看" } }, sent())
    end)

    it("that LINE does not show are a link", function()
      for _, case in ipairs { { "image", "image/webp", 9 }, { "image", "image/png", 2 * 1024 * 1024 },
        { "file", "image/png", 9 }, { "video", "video/mp4", 9 } } do
        item.kind, item.file.mime, item.file.size = case[1], case[2], case[3]
        local list = sent()
        assert.equal("text", list[1].type)
        assert.contains(item.file.url, list[1].text)
      end
    end)

    it("are refused in words while there is no https address to fetch them from", function()
      for _, url in ipairs { "http://y.example.com/files/fi_1", "" } do
        item.file.url = url
        local answer = adapter.send(item, ctx)
        assert.equal("unsupported", answer.failed)
        assert.contains("public_url", answer.why)
      end
      item.file.url = nil
      assert.contains("https://", adapter.send(item, ctx).why)
      assert.same({}, t.http.calls())
    end)
  end)
end)
