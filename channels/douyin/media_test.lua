-- yuelai test channels/douyin
local t, kit = require "test", require "tests.desk"
local json, crypto, secret, time = require "json", require "crypto", require "secret", require "time"

local API = "https://open.douyin.com"
local AT = "https://p3.douyinpic.example/obj/1"
local PNG = { id = "fi_1", name = "a.png", mime = "image/png", size = 9 }
local function bad(code) return { data = { error_code = code, description = "x" }, extra = { error_code = code } } end
local calls_of = kit.calls_of

describe("channel douyin, media", { only = "none" }, function()
  local desk, adapter, ctx, delivered, asked
  before_each(function()
    desk = kit.of({ type = "douyin", name = "shop" },
      { client_key = "awKEY", client_secret = secret.hide "test_client_secret", open_id = "B_OPENID",
      refresh_token = secret.hide "rft.1" })
    adapter, ctx, delivered, asked = desk.adapter, desk.ctx, desk.delivered, desk.asked
    for i = 1, 2 do
      local times = i == 1 and 1 or nil
      t.http.on("POST " .. API .. "/oauth/refresh_token/", { times = times, json = { data = { access_token = "act." .. i,
        expires_in = 1296000, error_code = 0, refresh_token = "rft.1", refresh_expires_in = 2592000 } } })
      t.http.on("POST " .. API .. "/oauth/client_token/", { times = times,
        json = { data = { access_token = "clt." .. i, expires_in = 7200, error_code = 0 } } })
    end
  end)

  local function writes(kind, id, more)
    local content = { conversation_short_id = "@CONV==", server_message_id = id or "@MSG==", conversation_type = 1,
      create_time = time.now(), message_type = kind, user_infos = {} }
    for name, value in pairs(more or {}) do content[name] = value end
    local body = json.encode { event = "im_receive_msg", client_key = "awKEY", from_user_id = "C_OPENID",
      to_user_id = "B_OPENID", content = json.encode(content) }
    local headers = { ["x-douyin-signature"] = crypto.sha1("test_client_secret" .. body) }
    return (adapter.receive({ method = "POST", path = "", query = {}, headers = headers, body = body }, ctx))
  end
  local function says_where(...)
    for _, answer in ipairs { ... } do
      if answer == 0 then answer = { data = { error_code = 0, url = AT, media_type = "image" } } end
      t.http.on("GET " .. API .. "/api/im/message/resources/*", { json = answer, times = 1 })
    end
  end

  describe("in", function()
    it("is where Douyin says, of what was sent from the phone", function()
      says_where(0, 0)
      desk.files = { { PNG }, { PNG } }
      assert.equal(200, writes "user_local_image")
      assert.same({ dedupe = "@MSG==", from = "C_OPENID", kind = "image", file = PNG }, delivered[1])
      assert.same({ conversation_id = "@CONV==", message_id = "@MSG==", open_id = "B_OPENID" }, calls_of("resources")[1].query)
      assert.equal("act.1", calls_of("resources")[1].headers["access-token"])
      assert.equal(AT, asked[1].url)
      writes("user_local_video", "@V==")
      assert.equal("video", delivered[2].kind)
      writes("image", "@I==") -- no address is given for these
      assert.same({ "text", "[图片]" }, { delivered[3].kind, delivered[3].text })
      assert.equal(2, #calls_of "resources")
    end)

    it("fetches a new token once when theirs is stale", function()
      says_where(bad(2190008), 0)
      desk.files = { { PNG } }
      writes "user_local_image"
      assert.equal(PNG, delivered[1].file)
      assert.equal("act.2", calls_of("resources")[2].headers["access-token"])
    end)

    it("comes later when Douyin is busy; without the right, or gone, it is a text", function()
      says_where(bad(2100004))
      assert.equal(200, writes "user_local_image")
      assert.same({}, delivered)
      says_where(0)
      desk.files = { { PNG } }
      adapter.poll(ctx)
      assert.equal(PNG, delivered[1].file)
      for i, code in ipairs { 28001018, 10004, 2100005 } do
        says_where(bad(code))
        writes("user_local_image", "@X" .. i)
        assert.contains("[图片] （没有取到", delivered[1 + i].text)
      end
      ctx.config.refresh_token = nil
      writes("user_local_video", "@Y")
      assert.contains("[视频] （没有取到", delivered[5].text)
    end)
  end)

  describe("out", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "C_OPENID", kind = "image", attempt = 1,
        file = { id = "fi_0000000000009", name = "a.png", mime = "image/png", size = 9 } }
      writes("text", "@MSG==", { text = "在吗" })
    end)
    local function uploads(...)
      for _, answer in ipairs { ... } do
        if type(answer) == "string" then answer = { data = { error_code = 0, image_id = answer } } end
        t.http.on("POST " .. API .. "/tool/imagex/client_upload/", { json = answer, times = 1 })
      end
    end
    local function says(...)
      for _, code in ipairs { ... } do
        local answer = bad(code)
        answer.msg_id = "@NEW=="
        t.http.on("POST " .. API .. "/im/send/msg/*", { json = answer, times = 1 })
      end
      return adapter.send(item, ctx)
    end

    it("is uploaded with the app's token and sent with the account's", function()
      uploads "@IMG"
      assert.same({ sent = "@NEW==" }, says(0))
      assert.equal("clt.1", calls_of("client_upload")[1].headers["access-token"])
      assert.contains('name="image"; filename="a.png"', calls_of("client_upload")[1].body)
      local said = calls_of("im/send")[1]
      assert.equal("act.1", said.headers["access-token"])
      assert.same({ msg_type = 2, image = { media_id = "@IMG" } }, said.json.content)
    end)

    it("is uploaded once, and its words are said once", function()
      item.text = "请看"
      uploads "@IMG"
      assert.equal(5, says(0, 2100004).retry)
      assert.same({ sent = "@NEW==" }, says(0))
      assert.equal(1, #calls_of "client_upload")
      assert.equal(3, #calls_of "im/send")
      assert.equal("请看", calls_of("im/send")[3].json.content.text.text)
    end)

    it("that Douyin refused is uploaded anew when it is sent again by hand", function()
      uploads("@IMG", "@IMG2")
      assert.equal("refused", says(28001007).failed)
      assert.same({ sent = "@NEW==" }, says(0))
      assert.equal("@IMG2", calls_of("im/send")[2].json.content.image.media_id)
    end)

    it("fails with a reason, or comes again; a stale token is bought anew", function()
      for code, expected in pairs { [28001018] = "not_allowed", [2100004] = 5, [10013] = "config" } do
        uploads(bad(code))
        local got = says()
        assert.equal(expected, got.failed or got.retry, "code " .. code)
      end
      uploads(bad(2190008), "@IMG")
      assert.same({ sent = "@NEW==" }, says(0))
      assert.equal("clt.2", calls_of("client_upload")[5].headers["access-token"])
    end)

    it("that is no picture there is a link, or fails", function()
      for _, case in ipairs { { "image", "image/gif", 9 }, { "video", "video/mp4", 9 }, { "image", "image/png", 10485761 } } do
        item.kind, item.file.mime, item.file.size = unpack(case)
        item.file.url = nil
        assert.equal("unsupported", says().failed)
        item.file.url = "https://shop.example/files/fi_9"
        assert.same({ sent = "@NEW==" }, says(0))
      end
      assert.equal(0, #calls_of "client_upload")
    end)
  end)
end)
