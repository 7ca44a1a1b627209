-- yuelai test channels/http
local t, kit = require "test", require "tests.desk"
local json, crypto, secret = require "json", require "crypto", require "secret"

local CAT = { id = "fi_0000000000001", name = "cat.jpg", mime = "image/jpeg", size = 9 }
local URL = "https://x.example.com/cat.jpg"

describe("channel http, files", { only = "none" }, function()
  local desk, adapter, ctx, delivered, asked
  before_each(function()
    t.at "2025-01-01 00:00 UTC" -- 1735689600
    desk = kit.of({ type = "http", name = "shop" },
      { url = "https://shop.example.com/in", secret = secret.hide "s3cret" }, { deliver = function(m)
      if m.from == "" then return nil, "bad_request", "deliver: `from` is missing" end
    end })
    adapter, ctx, delivered, asked = desk.adapter, desk.ctx, desk.delivered, desk.asked
  end)

  local function signed(data)
    local body = json.encode(data)
    return adapter.receive({ method = "POST", path = "", query = {}, body = body,
      headers = { ["x-signature"] = crypto.hmac("sha256", "s3cret", body) } }, ctx)
  end

  describe("in", function()
    local cat
    before_each(function()
      cat = { id = "m1", from = "u1", from_name = "Anna", kind = "image", name = "cat.jpg", text = "look", url = URL }
    end)

    it("are fetched from their address, by a request that is signed", function()
      desk.files = { { CAT } }
      local status, answer = signed(cat)
      assert.equal(200, status)
      assert.equal("m_1", answer.id)
      assert.same({ { dedupe = "m1", from = "u1", name = "Anna", kind = "image", text = "look", file = CAT } }, delivered)
      assert.equal(URL, asked[1].url)
      assert.equal("cat.jpg", asked[1].name)
      assert.equal("m1", asked[1].headers["webhook-id"])
      assert.equal("sha256=" .. crypto.hmac("sha256", "s3cret", ""), asked[1].headers["x-hub-signature-256"])
    end)

    it("come as base64 as well", function()
      desk.files = { { CAT } }
      cat.url, cat.data, cat.mime = nil, crypto.base64_encode "\255\216\255", "image/jpeg"
      assert.equal(200, (signed(cat)))
      assert.same({ { body = "\255\216\255", name = "cat.jpg", mime = "image/jpeg" } }, asked)
      assert.equal(CAT, delivered[1].file)
    end)

    it("that cannot be had are a text that says so", function()
      for _, case in ipairs { { "not_found", "没有取到" }, { "too_large", "太大" }, { "unsupported", "不收这种文件" } } do
        desk.files, delivered = { { nil, case[1], "why" } }, desk:anew()
        assert.equal(200, (signed(cat)))
        assert.equal("text", delivered[1].kind)
        assert.contains("[图片] look cat.jpg " .. URL, delivered[1].text)
        assert.contains(case[2], delivered[1].text)
      end
      cat.url = nil
      assert.equal(200, (signed(cat)))
      cat.data = "no base64!"
      assert.equal(200, (signed(cat)))
      cat.url, cat.data = "file:///etc/passwd", nil
      assert.equal(200, (signed(cat)))
      assert.equal(3, #asked)
      assert.contains("[图片]", delivered[#delivered].text)
    end)

    it("that are slow are fetched by poll, once, and answered 202", function()
      desk.files = { { nil, "timeout", "no answer in 2 s" }, { nil, "unavailable", "503" }, { CAT } }
      local status, answer = signed(cat)
      assert.equal(202, status)
      assert.same({ waits = true }, answer)
      assert.same({}, delivered)
      adapter.poll(ctx)
      assert.same({}, delivered)
      t.advance "5s"
      adapter.poll(ctx)
      adapter.poll(ctx)
      assert.equal(1, #delivered)
      assert.equal(CAT, delivered[1].file)
      assert.equal(3, #asked)
    end)

    it("say what is wrong with their message", function()
      desk.files, cat.from = { { CAT } }, nil
      local status, answer = signed(cat)
      assert.equal(422, status)
      assert.contains("from", answer.error.message)
    end)
  end)

  describe("out", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "u1", kind = "image", attempt = 1,
        file = { id = CAT.id, name = "cat.jpg", mime = "image/jpeg", size = 9, url = "https://y.example.com/files/fi_1?e=1&s=2" } }
      t.http.on("POST https://shop.example.com/in", { json = { id = "p1" } })
    end)
    local function sent()
      assert.same({ sent = "p1" }, adapter.send(item, ctx))
      return t.http.calls()[1]
    end

    it("are a signed link where there can be one", function()
      local call = sent()
      assert.equal("application/json", call.headers["content-type"])
      assert.equal("https://y.example.com/files/fi_1?e=1&s=2", call.json.data.file.url)
      assert.equal("image", call.json.data.kind)
    end)

    it("are a part of a form elsewhere, beside the event that is signed", function()
      item.file.url = nil
      local call = sent()
      assert.contains("multipart/form-data", call.headers["content-type"])
      local event = call.body:match 'name="event"\r\nContent%-Type: application/json\r\n\r\n(.-)\r\n%-%-'
      assert.equal("sha256=" .. crypto.hmac("sha256", "s3cret", event), call.headers["x-hub-signature-256"])
      assert.equal("cat.jpg", json.decode(event).data.file.name)
      assert.contains('name="file"; filename="cat.jpg"', call.body)
      assert.contains("<fi_0000000000001>", call.body)
    end)

    it("are what the settings say", function()
      ctx.config.files = "upload"
      assert.contains("multipart/form-data", sent().headers["content-type"])
      ctx.config.files, item.file.url = "link", nil
      local answer = adapter.send(item, ctx)
      assert.equal("unsupported", answer.failed)
      assert.contains("public_url", answer.why)
    end)
  end)
end)
