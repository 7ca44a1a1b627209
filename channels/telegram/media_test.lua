-- yuelai test channels/telegram
local t, kit = require "test", require "tests.desk"
local json, secret, crypto = require "json", require "secret", require "crypto"

local API = "https://api.telegram.org/bot123:ABC/"
local FILE = { id = "fi_0000000000001", name = "a", mime = "image/jpeg", size = 9 }

describe("channel telegram, files", { only = "none" }, function()
  local desk, adapter, ctx, delivered, asked
  before_each(function()
    desk = kit.of({ type = "telegram", name = "bot" },
      { token = secret.hide "123:ABC", webhook_secret = secret.hide "s3cret" })
    adapter, ctx, delivered, asked = desk.adapter, desk.ctx, desk.delivered, desk.asked
  end)

  local function push(fields)
    fields.chat, fields.from = { id = 42, type = "private" }, { id = 42, first_name = "Li" }
    return (adapter.receive({ method = "POST", path = "", query = {}, body = json.encode { update_id = 1, message = fields },
      headers = { ["x-telegram-bot-api-secret-token"] = "s3cret" } }, ctx))
  end
  local function has(path, answer)
    t.http.on("POST " .. API .. "getFile", { times = 1, status = answer and answer.error_code or 200,
      json = answer or { ok = true, result = { file_id = "x", file_path = path } } })
  end

  describe("in", function()
    it("of each kind are asked for and fetched with the bot's token", function()
      local cases = {
        { { photo = { { file_id = "small" }, { file_id = "big" } }, caption = "坏了" }, "image", "big", "image/jpeg", "坏了" },
        { { voice = { file_id = "v", mime_type = "audio/ogg" } }, "audio", "v", "audio/ogg" },
        { { audio = { file_id = "a", mime_type = "audio/mpeg", file_name = "song.mp3" } }, "audio", "a", "audio/mpeg" },
        { { video = { file_id = "m", mime_type = "video/mp4" } }, "video", "m", "video/mp4" },
        { { video_note = { file_id = "n" } }, "video", "n", "video/mp4" },
        { { animation = { file_id = "g", mime_type = "video/mp4" }, document = { file_id = "g2" } }, "video", "g", "video/mp4" },
        { { document = { file_id = "d", file_name = "单.pdf", mime_type = "application/pdf" } }, "file", "d", "application/pdf" },
        { { sticker = { file_id = "s", emoji = "😀" } }, "image", "s", "image/webp", "😀" },
      }
      for i, case in ipairs(cases) do
        desk.files, delivered = { { FILE } }, desk:anew()
        has "photos/file_1.jpg"
        assert.equal(200, push(case[1]))
        assert.equal(case[3], t.http.calls()[i].json.file_id)
        assert.equal(case[2], delivered[1].kind)
        assert.equal(FILE, delivered[1].file)
        assert.equal(case[5], delivered[1].text)
        assert.equal(case[4], asked[i].mime)
        assert.is_true(crypto.equal("https://api.telegram.org/file/bot123:ABC/photos/file_1.jpg", asked[i].url))
      end
      assert.equal("单.pdf", asked[7].name)
      assert.equal("file_1.jpg", asked[1].name)
    end)

    it("that cannot be had are a text that says so", function()
      has(nil, { ok = false, error_code = 400, description = "Bad Request: file is too big" })
      push { photo = { { file_id = "a" } }, caption = "坏了" }
      assert.equal("text", delivered[1].kind)
      assert.contains("[图片] 坏了", delivered[1].text)
      assert.contains("太大", delivered[1].text)
      has "x/y.pdf"
      desk.files = { { nil, "unsupported", "an executable" } }
      push { document = { file_id = "a", file_name = "a.pdf" } }
      assert.contains("[文件] a.pdf", delivered[2].text)
    end)

    it("that are slow, or whose token is refused for a while, are fetched by poll", function()
      has(nil, { ok = false, error_code = 502, description = "Bad Gateway" })
      assert.equal(200, push { photo = { { file_id = "a" } } })
      assert.same({}, delivered)
      assert.equal(1, desk.polls_wanted)
      has "x/y.jpg"
      desk.files = { { FILE } }
      assert.same({ again = 2 }, adapter.poll(ctx))
      assert.same({ again = 30 }, adapter.poll(ctx)) -- none waits any more
      assert.equal(1, #delivered)
      assert.equal(FILE, delivered[1].file)
    end)
  end)

  describe("out", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "42", kind = "image", attempt = 1,
        file = { id = "fi_0000000000001", name = "a.jpg", mime = "image/jpeg", size = 9 } }
    end)
    local function sends(method, result, status)
      t.http.on("POST " .. API .. method, { times = 1, status = status,
        json = status and { ok = false, error_code = status, description = result } or { ok = true, result = result } })
    end
    local last = kit.last_call

    it("of each kind are what Telegram shows as that", function()
      local cases = { { "image", "image/png", "sendPhoto", "photo" }, { "image", "image/gif", "sendAnimation", "animation" },
        { "image", "image/heic", "sendDocument", "document" }, { "audio", "audio/ogg", "sendVoice", "voice" },
        { "audio", "audio/mpeg", "sendAudio", "audio" }, { "audio", "audio/AMR", "sendDocument", "document" },
        { "video", "video/mp4", "sendVideo", "video" }, { "video", "video/webm", "sendDocument", "document" },
        { "file", "application/pdf", "sendDocument", "document" }, { "file", "image/png", "sendDocument", "document" } }
      for i, case in ipairs(cases) do
        item.id, item.kind, item.file.mime, item.file.id = "ob_" .. i, case[1], case[2], ("fi_%013d"):format(i)
        sends(case[3], { message_id = 8 })
        assert.same({ sent = "42:8" }, adapter.send(item, ctx))
        assert.contains(('name="%s"; filename="a.jpg"'):format(case[4]), last().body)
        assert.contains(("<fi_%013d>"):format(i), last().body)
        assert.contains('name="chat_id"\r\n\r\n42\r\n', last().body)
      end
    end)

    it("have their words as a caption, or behind them if those are many", function()
      item.text = "看"
      sends("sendPhoto", { message_id = 8 })
      adapter.send(item, ctx)
      assert.contains('name="caption"\r\n\r\n看\r\n', last().body)
      item.id, item.text = "ob_2", ("长"):rep(400)
      sends("sendPhoto", { message_id = 9 })
      sends("sendMessage", "Too Many", 429)
      assert.equal(5, adapter.send(item, ctx).retry)
      local calls = #t.http.calls()
      sends("sendMessage", { message_id = 10 })
      assert.same({ sent = "42:10" }, adapter.send(item, ctx)) -- the picture is not sent again
      assert.equal(calls + 1, #t.http.calls())
      assert.equal(item.text, last().json.text)
    end)

    it("go up once: then by the id they have there, until it is not known any more", function()
      sends("sendPhoto", { message_id = 8, photo = { { file_id = "S" }, { file_id = "L" } } })
      adapter.send(item, ctx)
      item.id = "ob_2"
      sends("sendPhoto", { message_id = 9 })
      assert.same({ sent = "42:9" }, adapter.send(item, ctx))
      assert.same({ chat_id = "42", photo = "L" }, last().json)
      item.id = "ob_3"
      sends("sendPhoto", "Bad Request: wrong file identifier/HTTP URL specified", 400)
      sends("sendPhoto", { message_id = 10, photo = { { file_id = "M" } } })
      assert.same({ sent = "42:10" }, adapter.send(item, ctx))
      assert.contains("<fi_0000000000001>", last().body)
    end)

    it("that are no good as a photo go as a document; over 50 MB they do not", function()
      sends("sendPhoto", "Bad Request: PHOTO_INVALID_DIMENSIONS", 400)
      sends("sendDocument", { message_id = 8, document = { file_id = "D" } })
      assert.same({ sent = "42:8" }, adapter.send(item, ctx))
      item.id, item.file.id, item.file.size = "ob_2", "fi_0000000000002", 11 * 1024 * 1024
      sends("sendDocument", { message_id = 9 })
      assert.same({ sent = "42:9" }, adapter.send(item, ctx))
      item.id, item.file.size = "ob_3", 51 * 1024 * 1024
      assert.equal("unsupported", adapter.send(item, ctx).failed)
    end)

    it("come again when Telegram is down, and are dead when it refuses", function()
      sends("sendPhoto", "Bad Gateway", 502)
      assert.equal(5, adapter.send(item, ctx).retry)
      sends("sendPhoto", "Forbidden: bot was blocked by the user", 403)
      assert.equal("blocked", adapter.send(item, ctx).failed)
      sends("sendPhoto", "Unauthorized", 401)
      assert.equal("invalid_token", adapter.send(item, ctx).failed)
    end)
  end)
end)
