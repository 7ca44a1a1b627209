-- yuelai test channels/wecom
local t = require "test"
local secret = require "secret"

local API = "https://qyapi.weixin.qq.com/cgi-bin/"

describe("channel wecom, taken back", { only = "none" }, function()
  local adapter, news, ctx, told
  before_each(function()
    adapter, news, told = t.load "channels/wecom", require "channels.wecom.news", {}
    ctx = {
      channel = { id = "ch_1", type = "wecom", name = "kf" },
      config = { corpid = "ww1", secret = secret.hide "s", token = secret.hide "t", open_kfid = "wkA" },
      recalled = function(what)
        told[#told + 1] = what
        if what.sent or what.dedupe == "m1" then return true end
        return nil, "not_found", "there is none"
      end,
    }
    t.http.on("GET " .. API .. "gettoken*", { json = { errcode = 0, access_token = "T1", expires_in = 7200 } })
  end)
  local function back(code, sent)
    t.http.on("POST " .. API .. "kf/recall_msg?*", { json = { errcode = code, errmsg = "x" }, times = 1 })
    return adapter.recall({ id = "ob_2", to = "wmB@wkA", sent = sent or "ob_1", attempt = 1 }, ctx)
  end

  it("is recalled by the id that it was given", function()
    assert.same({ recalled = true }, back(0))
    assert.same({ open_kfid = "wkA", msgid = "ob_1" }, t.http.calls()[2].json)
    assert.equal("refused", back(40058).failed)
    assert.equal(5, back(-1).retry)
  end)

  it("goes in all its pieces", function()
    t.http.on("POST " .. API .. "kf/send_msg?*", { json = { errcode = 0 } })
    local item = { id = "ob_1", to = "wmB@wkA", kind = "text", text = ("长"):rep(1000), attempt = 1 }
    assert.same({ sent = "ob_1" }, adapter.send(item, ctx))
    t.http.on("POST " .. API .. "kf/recall_msg?*", { json = { errcode = 0 } })
    assert.same({ recalled = true }, adapter.recall({ id = "ob_2", to = "wmB@wkA", sent = "ob_1", attempt = 1 }, ctx))
    local ids = {}
    for _, c in ipairs(t.http.calls()) do
      if c.path:find "recall_msg" then ids[#ids + 1] = c.json.msgid end
    end
    assert.same({ "ob_1-1", "ob_1" }, ids)
  end)

  it("is told of theirs and of ours, when news come", function()
    news.ask_soon(ctx, "wkA", { token = "x", at = t.now() })
    t.http.on("POST " .. API .. "kf/sync_msg?*", { json = { errcode = 0, has_more = 0, next_cursor = "C2", msg_list = {
      { msgid = "e1", origin = 4, msgtype = "event", send_time = 1, event = { event_type = "user_recall_msg",
        open_kfid = "wkA", external_userid = "wmB", recall_msgid = "m1" } },
      { msgid = "e2", origin = 4, msgtype = "event", send_time = 1, event = { event_type = "servicer_recall_msg",
        open_kfid = "wkA", recall_msgid = "ob_7" } },
      { msgid = "e3", origin = 4, msgtype = "event", send_time = 1, event = { event_type = "user_recall_msg" } } } } })
    adapter.poll(ctx)
    assert.same({ from = "wmB@wkA", dedupe = "m1" }, told[1])
    assert.same({ sent = "ob_7" }, told[#told])
  end)
end)
