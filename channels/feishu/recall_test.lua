-- yuelai test channels/feishu
local t = require "test"
local json, secret = require "json", require "secret"

local API = "https://open.feishu.cn/open-apis/"

describe("channel feishu, taken back", { only = "none" }, function()
  local adapter, ctx, told
  before_each(function()
    adapter, told = t.load "channels/feishu", {}
    ctx = {
      channel = { id = "ch_1", type = "feishu", name = "bot" },
      config = { app_id = "cli_x", app_secret = secret.hide "app-secret", verification_token = secret.hide "v" },
      deliver = function() return { id = "m_1", conversation = "cv_1", seq = 1, duplicate = false } end,
      recalled = function(what)
        told[#told + 1] = what
        if what.from and what.dedupe:find "^om_%d$" then return true end
        return nil, "not_found", "there is none"
      end,
    }
  end)
  local function push(name, event)
    return (adapter.receive({ method = "POST", path = "", query = {}, headers = {}, body = json.encode { schema = "2.0",
      header = { event_type = name, token = "v", app_id = "cli_x" }, event = event } }, ctx))
  end
  local function says(id, chat, kind)
    assert.equal(200, push("im.message.receive_v1", { sender = { sender_type = "user", sender_id = { open_id = "ou_1" } },
      message = { message_id = id, chat_id = chat, chat_type = kind, message_type = "text", content = '{"text":"hi"}' } }))
  end

  it("is told of theirs, in a chat of two and in a group, and of ours", function()
    says("om_1", "oc_p", "p2p")
    says("om_2", "oc_g", "group")
    assert.equal(200, push("im.message.recalled_v1", { message_id = "om_1", chat_id = "oc_p" }))
    assert.same({ from = "ou_1", dedupe = "om_1" }, told[1])
    told = {}
    assert.equal(200, push("im.message.recalled_v1", { message_id = "om_2", chat_id = "oc_g" }))
    assert.same({ from = "ou_1@oc_g", dedupe = "om_2" }, told[1])
    told = {}
    assert.equal(200, push("im.message.recalled_v1", { message_id = "om_9", chat_id = "oc_g" }))
    assert.same({ { sent = "om_9" } }, told)
    ctx.recalled = function() return nil, "unavailable", "full" end
    assert.equal(503, push("im.message.recalled_v1", { message_id = "om_1", chat_id = "oc_p" }))
    assert.equal(200, push("im.message.recalled_v1", { message_id = {} }))
  end)

  it("is deleted at Feishu", function()
    t.http.on("POST " .. API .. "auth/v3/tenant_access_token/internal",
      { json = { code = 0, tenant_access_token = "t-1", expire = 7200 } })
    local function back(answer, status)
      t.http.on("DELETE " .. API .. "im/v1/messages/om_9", { json = answer, status = status, times = 1 })
      return adapter.recall({ id = "ob_2", to = "ou_1", sent = "om_9", attempt = 1 }, ctx)
    end
    assert.same({ recalled = true }, back { code = 0, data = {} })
    assert.equal("Bearer t-1", t.http.calls()[2].headers.authorization)
    assert.same({ recalled = true }, back({ code = 230110, msg = "deleted" }, 400))
    assert.equal("not_allowed", back({ code = 230026, msg = "no permission" }, 400).failed)
    assert.equal(5, back({ code = 230020, msg = "busy" }, 400).retry)
    assert.equal("unsupported", adapter.recall({ id = "ob_2", to = "ou_1", sent = "ob_1/..", attempt = 1 }, ctx).failed)
  end)
end)
