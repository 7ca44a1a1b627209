-- yuelai test channels/feishu
local t, kit = require "test", require "tests.desk"
local json, secret = require "json", require "secret"

local API = "https://open.feishu.cn/open-apis/"
local PNG = { id = "fi_1", name = "a.png", mime = "image/png", size = 9 }
local calls_of = kit.calls_of

describe("channel feishu, media", { only = "none" }, function()
  local desk, adapter, ctx, delivered, asked
  before_each(function()
    desk = kit.of({ type = "feishu", name = "bot" },
      { app_id = "cli_x", app_secret = secret.hide "app-secret", verification_token = secret.hide "v" })
    adapter, ctx, delivered, asked = desk.adapter, desk.ctx, desk.delivered, desk.asked
    kit.in_turn("POST " .. API .. "auth/v3/tenant_access_token/internal",
      { json = { code = 0, tenant_access_token = "t-1", expire = 7200 } },
      { json = { code = 0, tenant_access_token = "t-2", expire = 7200 } })
  end)

  describe("in", function()
    local function push(kind, content, more)
      local message = { message_id = "om_1", chat_id = "oc_1", chat_type = "p2p", message_type = kind,
        content = json.encode(content) }
      for name, value in pairs(more or {}) do message[name] = value end
      local body = json.encode { header = { event_type = "im.message.receive_v1", token = "v" },
        event = { sender = { sender_type = "user", sender_id = { open_id = "ou_1" } }, message = message } }
      return (adapter.receive({ method = "POST", path = "", query = {}, headers = {}, body = body }, ctx))
    end

    it("is fetched by message and key, each kind as what it is", function()
      local kinds = { { "image", "image", "image", { image_key = "img_1" } },
        { "file", "file", "file", { file_key = "f-1", file_name = "合同.pdf" } },
        { "audio", "audio", "file", { file_key = "f-1", duration = 2000 } },
        { "media", "video", "file", { file_key = "f-1", file_name = "a.mp4" } } }
      for i, k in ipairs(kinds) do
        desk.files = { { PNG } }
        assert.equal(200, push(k[1], k[4]))
        assert.same({ dedupe = "om_1", from = "ou_1", kind = k[2], file = PNG }, delivered[i])
        assert.equal(API .. "im/v1/messages/om_1/resources/" .. (k[4].image_key or k[4].file_key), asked[i].url)
        assert.equal(k[3], asked[i].query.type)
        assert.equal(k[4].file_name, asked[i].name)
      end
    end)

    it("of a rich text are its words, then its pictures", function()
      desk.files = { { PNG }, { nil, "timeout", "slow" } }
      local lines = { { { tag = "text", text = "看" }, { tag = "img", image_key = "img_1" } }, { { tag = "img", image_key = "img_2" } } }
      assert.equal(200, push("post", { title = "标题", content = lines }))
      assert.equal("标题\n看[图片]\n[图片]", delivered[1].text)
      assert.same({ dedupe = "om_1:1", from = "ou_1", kind = "image", file = PNG }, delivered[2])
      desk.files = { { PNG } }
      adapter.poll(ctx)
      assert.same({ dedupe = "om_1:2", from = "ou_1", kind = "image", file = PNG }, delivered[3])
    end)

    it("fetches a new token once when theirs is stale", function()
      desk.files = { { nil, "answer", { code = 99991663, msg = "Invalid access token" } }, { PNG } }
      push("image", { image_key = "img_1" })
      assert.equal(PNG, delivered[1].file)
      assert.equal(2, #calls_of "tenant_access_token")
    end)

    it("comes later when Feishu is busy; what is gone, or no key, is a text that says so", function()
      desk.files = { { nil, "answer", { code = 99991400, msg = "limit" } } }
      assert.equal(200, push("image", { image_key = "img_1" }, { message_id = "om_9" }))
      desk.files = { { PNG } }
      adapter.poll(ctx)
      assert.equal("om_9", delivered[1].dedupe)
      desk.files = { { nil, "answer", { code = 234003, msg = "File not in msg." } } }
      push("file", { file_key = "f", file_name = "合同.pdf" })
      assert.contains("[文件] 合同.pdf （没有取到", delivered[2].text)
      for i, key in ipairs { "../../x", "", 1, {} } do
        push("image", { image_key = key })
        assert.contains("[图片]", delivered[2 + i].text)
      end
      assert.equal(3, #asked)
    end)
  end)

  describe("out", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "ou_1", kind = "image", attempt = 1,
        file = { id = "fi_0000000000009", name = "a.png", mime = "image/png", size = 9 } }
    end)
    local function uploads(path, ...)
      kit.once("POST " .. API .. "im/v1/" .. path, ...)
    end
    local function says(...)
      for _, code in ipairs { ... } do
        t.http.on("POST " .. API .. "im/v1/messages*", { json = { code = code, msg = "x", data = { message_id = "om_9" } }, times = 1 })
      end
      return adapter.send(item, ctx)
    end

    it("is an image with its key", function()
      uploads("images", { code = 0, data = { image_key = "img_9" } })
      assert.same({ sent = "om_9" }, says(0))
      local up = calls_of("im/v1/images")[1]
      assert.contains('name="image_type"', up.body)
      assert.contains('name="image"; filename="a.png"', up.body)
      assert.same({ receive_id = "ou_1", msg_type = "image", content = '{"image_key":"img_9"}', uuid = "ob_1" },
        calls_of("im/v1/messages")[1].json)
    end)

    it("is a voice, a video or a file, as what it was uploaded", function()
      local kinds = { { "audio", "audio", "opus", "audio/ogg" }, { "video", "media", "mp4", "video/mp4" },
        { "file", "file", "stream", "video/mp4" }, { "audio", "file", "stream", "audio/mpeg" } }
      for i, k in ipairs(kinds) do
        item.kind, item.file.mime, item.file.id = k[1], k[4], "fi_000000000001" .. i
        uploads("files", { code = 0, data = { file_key = "f-" .. i } })
        says(0)
        assert.contains("\r\n" .. k[3] .. "\r\n", calls_of("im/v1/files")[i].body)
        assert.equal(k[2], calls_of("im/v1/messages")[i].json.msg_type)
      end
    end)

    it("is uploaded once, and its words are said once with an id of their own", function()
      item.text = "请看"
      uploads("images", { code = 0, data = { image_key = "img_9" } })
      assert.equal(5, says(0, 230020).retry)
      assert.same({ sent = "om_9" }, says(0))
      assert.equal(1, #calls_of "im/v1/images")
      local calls = calls_of "im/v1/messages"
      assert.equal(3, #calls)
      assert.equal("ob_1-1", calls[1].json.uuid)
      assert.same({ receive_id = "ou_1", msg_type = "text", content = '{"text":"请看"}', uuid = "ob_1" }, calls[3].json)
    end)

    it("fails with a reason, or comes again; a stale token is bought anew", function()
      for code, expected in pairs { [234006] = "unsupported", [99991672] = "not_allowed", [99991400] = 5 } do
        uploads("images", { code = code, msg = "x" })
        local got = says()
        assert.equal(expected, got.failed or got.retry, "code " .. code)
      end
      uploads("images", { code = 99991663 }, { code = 0, data = { image_key = "img_9" } })
      assert.same({ sent = "om_9" }, says(0))
      item.file.size = 30 * 1024 * 1024 + 1
      assert.equal("unsupported", says().failed)
    end)
  end)
end)
