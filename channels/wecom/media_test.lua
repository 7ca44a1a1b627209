-- yuelai test channels/wecom
local t, kit = require "test", require "tests.desk"
local xml, crypto, secret = require "xml", require "crypto", require "secret"

local API = "https://qyapi.weixin.qq.com/cgi-bin/"
local KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
local PDF = { id = "fi_1", name = "发票.pdf", mime = "application/pdf", size = 9 }
local calls_of = kit.calls_of

describe("channel wecom, media", { only = "none" }, function()
  local desk, adapter, ctx, delivered, asked
  before_each(function()
    desk = kit.of({ type = "wecom", name = "kf" },
      { corpid = "wx5823bf96d3bd56c7", secret = secret.hide "app-secret", token = secret.hide "QDG6eK",
      encoding_aes_key = secret.hide(KEY) })
    adapter, ctx, delivered, asked = desk.adapter, desk.ctx, desk.delivered, desk.asked
    kit.in_turn("GET " .. API .. "gettoken*", { json = { errcode = 0, access_token = "T1", expires_in = 7200 } },
      { json = { errcode = 0, access_token = "T2", expires_in = 7200 } })
  end)

  describe("in", function()
    local function says(...)
      local list, key = {}, crypto.base64_decode(KEY .. "=")
      for i, kind in ipairs { ... } do
        list[i] = { msgid = "m" .. i, open_kfid = "wkA", external_userid = "wmB", send_time = 1, origin = 3,
          msgtype = kind, [kind] = { media_id = "M" .. i } }
      end
      local text = xml.encode { MsgType = "event", Event = "kf_msg_or_event", Token = "ENC1", OpenKfId = "wkA" }
      local full = "1234567890123456" .. string.char(0, 0, 0, #text) .. text .. ctx.config.corpid
      local sealed = crypto.base64_encode(crypto.aes_cbc_encrypt(key, key:sub(1, 16), full, { block = 32 }))
      local query = { timestamp = "1", nonce = "2", msg_signature = crypto.sha1(secret.sorted("QDG6eK", "1", "2", sealed)) }
      local req = { method = "POST", path = "", query = query, headers = {}, body = xml.encode { Encrypt = sealed } }
      assert.equal(200, (adapter.receive(req, ctx)))
      t.http.on("POST " .. API .. "kf/sync_msg*", { json = { errcode = 0, next_cursor = "N1", has_more = 0, msg_list = list }, times = 1 })
      adapter.poll(ctx)
    end

    it("is fetched by its media_id, each kind as what it is", function()
      desk.files = { { PDF }, { PDF }, { PDF }, { PDF } }
      says("image", "voice", "video", "file")
      assert.same({ dedupe = "m4", from = "wmB@wkA", kind = "file", file = PDF }, delivered[4])
      for i, kind in ipairs { "image", "audio", "video", "file" } do assert.equal(kind, delivered[i].kind) end
      assert.equal(API .. "media/get", asked[1].url)
      assert.equal("M1", asked[1].query.media_id)
      assert.equal("audio/amr", asked[2].mime)
    end)

    it("fetches a new token once when theirs is stale", function()
      desk.files = { { nil, "answer", { errcode = 42001 } }, { PDF } }
      says "file"
      assert.equal(2, #calls_of "gettoken")
      assert.equal(PDF, delivered[1].file)
    end)

    it("does not hold up those behind it: it comes later, or as a text", function()
      desk.files = { { nil, "unavailable", "502" }, { nil, "answer", { errcode = 40007, errmsg = "invalid media_id" } }, { PDF } }
      says("file", "image")
      assert.same({ "text" }, { delivered[1].kind, delivered[2] and "more" })
      assert.contains("[图片]", delivered[1].text)
      t.advance "2s"
      adapter.poll(ctx)
      assert.same({ dedupe = "m1", from = "wmB@wkA", kind = "file", file = PDF }, delivered[2])
    end)
  end)

  describe("out", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "wmB@wkA", kind = "image", attempt = 1,
        file = { id = "fi_0000000000009", name = "a.png", mime = "image/png", size = 9 } }
    end)
    local function uploads(...)
      kit.once("POST " .. API .. "media/upload*", ...)
    end
    local function says(...)
      for _, code in ipairs { ... } do
        t.http.on("POST " .. API .. "kf/send_msg?*", { json = { errcode = code, errmsg = "x" }, times = 1 })
      end
      return adapter.send(item, ctx)
    end

    it("is uploaded as its type and said with an id that WeCom knows again", function()
      local kinds = { image = { "image", "image/png" }, audio = { "voice", "audio/AMR" }, video = { "video", "video/mp4" },
        file = { "file", "application/pdf" } }
      for kind, what in pairs(kinds) do
        item.kind, item.file.mime, item.id = kind, what[2], "ob_" .. kind
        uploads { errcode = 0, media_id = "M-" .. kind }
        assert.same({ sent = "ob_" .. kind }, says(0))
        local ups, calls = calls_of "media/upload", calls_of "send_msg"
        assert.equal(what[1], ups[#ups].query.type)
        assert.same({ touser = "wmB", open_kfid = "wkA", msgid = "ob_" .. kind, msgtype = what[1],
          [what[1]] = { media_id = "M-" .. kind } }, calls[#calls].json)
      end
    end)

    it("is uploaded once while WeCom knows it, then again", function()
      uploads({ errcode = 0, media_id = "M1" }, { errcode = 0, media_id = "M2" })
      assert.equal(5, says(-1).retry)
      assert.same({ sent = "ob_1" }, says(0))
      assert.equal(1, #calls_of "media/upload")
      item.id = "ob_2"
      assert.same({ sent = "ob_2" }, says(40007, 0))
      assert.equal(2, #calls_of "media/upload")
    end)

    it("that is no picture there goes as a file; what is too large as a link, or fails", function()
      item.file.mime = "image/webp"
      uploads { errcode = 0, media_id = "M1" }
      says(0)
      assert.equal("file", calls_of("media/upload")[1].query.type)
      item.file.size = 20 * 1024 * 1024 + 1
      assert.equal("unsupported", says().failed)
      item.file.url = "https://shop.example/files/fi_9"
      says(0)
      assert.contains("https://shop.example/files/fi_9", calls_of("send_msg")[2].json.text.content)
    end)

    it("fails with a reason, or comes again; a stale token is bought anew", function()
      for code, expected in pairs { [40006] = "unsupported", [48002] = "config", [45009] = 60 } do
        uploads { errcode = code, errmsg = "x" }
        local got = says()
        assert.equal(expected, got.failed or got.retry, "code " .. code)
      end
      uploads({ errcode = 42001 }, { errcode = 0, media_id = "M1" })
      assert.same({ sent = "ob_1" }, says(0))
      assert.equal(2, #calls_of "gettoken")
    end)
  end)
end)
