-- yuelai test channels/whatsapp
local t, kit = require "test", require "tests.desk"
local json, crypto, secret = require "json", require "crypto", require "secret"

local GRAPH = "https://graph.facebook.com/v21.0/"
local FILE = { id = "fi_0000000000001", name = "a", mime = "image/jpeg", size = 9 }

describe("channel whatsapp, files", { only = "none" }, function()
  local desk, adapter, ctx, delivered, asked
  before_each(function()
    desk = kit.of({ type = "whatsapp", name = "WA" },
      { phone_number_id = "1001", access_token = secret.hide "EAAG", app_secret = secret.hide "app" })
    adapter, ctx, delivered, asked = desk.adapter, desk.ctx, desk.delivered, desk.asked
  end)

  local function push(m)
    m.from, m.id = "8613800000000", "wamid." .. m.type
    local body = json.encode { entry = { { changes = { { field = "messages", value = {
      metadata = { phone_number_id = "1001" }, messages = { m } } } } } } }
    return (adapter.receive({ method = "POST", path = "", query = {}, body = body,
      headers = { ["x-hub-signature-256"] = "sha256=" .. crypto.hmac("sha256", "app", body) } }, ctx))
  end
  local function has(id, with)
    t.http.on("GET " .. GRAPH .. id, with or { times = 1, json = { url = "https://lookaside.example.com/" .. id } })
  end

  describe("in", function()
    it("of each kind are asked for by their id and fetched with the token", function()
      local cases = {
        { { type = "image", image = { id = "i", mime_type = "image/jpeg", caption = "破了" } }, "image", "image.jpg", "破了" },
        { { type = "document", document = { id = "d", mime_type = "application/pdf", filename = "单.pdf" } }, "file", "单.pdf" },
        { { type = "audio", audio = { id = "a", mime_type = "audio/ogg; codecs=opus" } }, "audio", "audio.ogg" },
        { { type = "video", video = { id = "v", mime_type = "video/mp4" } }, "video", "video.mp4" },
        { { type = "sticker", sticker = { id = "s", mime_type = "image/webp" } }, "image", "image.webp" },
      }
      for i, case in ipairs(cases) do
        local id = case[1][case[1].type].id
        desk.files, delivered = { { FILE } }, desk:anew()
        has(id)
        assert.equal(200, push(case[1]))
        assert.equal(case[2], delivered[1].kind)
        assert.equal(FILE, delivered[1].file)
        assert.equal(case[4], delivered[1].text)
        assert.equal("+8613800000000", delivered[1].profile.phone)
        assert.equal("https://lookaside.example.com/" .. id, asked[i].url)
        assert.equal(case[3], asked[i].name)
        assert.equal(ctx.config.access_token, asked[i].auth.bearer)
      end
      assert.equal("audio/ogg", asked[3].mime)
    end)

    it("that cannot be had are a text; those that are slow come by poll, once", function()
      has("gone", { status = 400, json = { error = { code = 100, message = "no such media" } }, times = 1 })
      push { type = "document", document = { id = "gone", filename = "a.pdf" } }
      assert.equal("text", delivered[1].kind)
      assert.contains("[文件] a.pdf", delivered[1].text)
      has("slow", { status = 500, json = { error = { code = 131000, message = "busy" } }, times = 1 })
      assert.equal(200, push { type = "image", image = { id = "slow", mime_type = "image/png" } })
      assert.equal(1, #delivered)
      has "slow"
      desk.files = { { FILE } }
      adapter.poll(ctx)
      adapter.poll(ctx)
      assert.equal(2, #delivered)
      assert.equal(FILE, delivered[2].file)
    end)
  end)

  describe("out", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "8613800000000", kind = "image", attempt = 1,
        file = { id = "fi_0000000000001", name = "a.jpg", mime = "image/jpeg", size = 9 } }
    end)
    local function uploads(with)
      t.http.on("POST " .. GRAPH .. "1001/media", with or { json = { id = "M1" }, times = 1 })
    end
    local function sends(with)
      t.http.on("POST " .. GRAPH .. "1001/messages", with or { json = { messages = { { id = "wamid.Y" } } }, times = 1 })
      return adapter.send(item, ctx)
    end
    local last = kit.last_call

    it("go up once, and by their id ever after", function()
      uploads()
      item.text = "看"
      assert.same({ sent = "wamid.Y" }, sends())
      local call = t.http.calls()[1]
      assert.contains('name="messaging_product"\r\n\r\nwhatsapp\r\n', call.body)
      assert.contains('name="type"\r\n\r\nimage/jpeg\r\n', call.body)
      assert.contains("<fi_0000000000001>", call.body)
      assert.equal("M1", last().json.image.id)
      assert.equal("看", last().json.image.caption)
      item.id = "ob_2"
      assert.same({ sent = "wamid.Y" }, sends()) -- a second upload would find nobody
      assert.equal(3, #t.http.calls())
    end)

    it("are what WhatsApp shows, or documents", function()
      local cases = { { "image", "image/png", 9, "image" }, { "image", "image/webp", 9, "document" },
        { "image", "image/png", 6 * 1024 * 1024, "document" }, { "audio", "audio/ogg", 9, "audio" },
        { "audio", "audio/x-wav", 9, "document" }, { "video", "video/mp4", 9, "video" },
        { "video", "video/webm", 9, "document" }, { "file", "application/pdf", 9, "document" } }
      for i, case in ipairs(cases) do
        item.id, item.kind = "ob_" .. i, case[1]
        item.file = { id = ("fi_%013d"):format(i), name = "a.x", mime = case[2], size = case[3] }
        uploads()
        sends()
        assert.equal(case[4], last().json.type)
        assert.equal(case[4] == "document" and "a.x" or nil, last().json[case[4]].filename)
      end
    end)

    it("come again when the upload fails, and when an id is not known any more", function()
      uploads { status = 500, json = { error = { code = 131000, message = "busy" } }, times = 1 }
      assert.equal(10, adapter.send(item, ctx).retry)
      uploads { status = 401, json = { error = { code = 190, message = "expired" } }, times = 1 }
      assert.equal("invalid_token", adapter.send(item, ctx).failed)
      uploads()
      assert.equal(1, sends({ status = 400, json = { error = { code = 100, message = "id is unknown" } }, times = 1 }).retry)
      item.attempt = 2
      uploads { json = { id = "M2" }, times = 1 }
      assert.same({ sent = "wamid.Y" }, sends())
      assert.equal("M2", last().json.image.id)
    end)
  end)
end)
