-- yuelai test channels/wecom: what members of the enterprise say in the WeCom app.
local t, kit = require "test", require "tests.desk"
local secret = require "secret"

local API = "https://qyapi.weixin.qq.com/cgi-bin/"

describe("channel wecom, staff in the WeCom app", { only = "none" }, function()
  local desk, adapter, ctx, news
  before_each(function()
    desk = kit.of({ type = "wecom", name = "kf" }, { corpid = "ww1", secret = secret.hide "s", token = secret.hide "t",
      open_kfid = "wkA", staff = "zhangsan=anna@example.com，lisi = bo@example.com" })
    adapter, ctx, news = desk.adapter, desk.ctx, require "channels.wecom.news"
    t.http.on("GET " .. API .. "gettoken*", { json = { errcode = 0, access_token = "T1", expires_in = 7200 } })
  end)

  local function says(id, who, kind, content)
    return { msgid = id, open_kfid = "wkA", external_userid = "wmB", send_time = 1, origin = 5, servicer_userid = who,
      msgtype = kind, [kind] = content }
  end

  local function comes(...)
    t.http.on("POST " .. API .. "kf/sync_msg?*",
      { json = { errcode = 0, has_more = 0, next_cursor = "C", msg_list = { ... } }, times = 1 })
    news.ask_soon(ctx, "wkA", { token = "x", at = t.now() })
    adapter.poll(ctx)
  end

  it("stands here by their account, and as the agent they are", function()
    comes(says("m1", "zhangsan", "text", { content = "我来" }), says("m2", "lisi", "text", { content = "我也" }),
      says("m3", "wangwu", "link", { title = "T", url = "https://x" }), says("m4", nil, "text", { content = "谁" }))
    assert.same({ dedupe = "m1", to = "wmB@wkA", name = "zhangsan", agent = "anna@example.com", kind = "text",
      text = "我来" }, desk.echoes[1])
    assert.equal("bo@example.com", desk.echoes[2].agent)
    assert.is_nil(desk.echoes[3].agent)
    assert.equal("[链接] T https://x", desk.echoes[3].text)
    assert.is_nil(desk.echoes[4].name)
    assert.same({}, desk.delivered)
  end)

  it("brings its file", function()
    desk.files = { { { id = "fi_1", name = "a.jpg", mime = "image/jpeg", size = 9 } } }
    comes(says("m1", "zhangsan", "image", { media_id = "M" }))
    assert.equal("fi_1", desk.echoes[1].file.id)
    assert.equal("wmB@wkA", desk.echoes[1].to)
    assert.equal("anna@example.com", desk.echoes[1].agent)
  end)

  it("is asked for again while the house cannot take it: the cursor stays", function()
    ctx.echo = function() return nil, "unavailable", "is it this one?" end
    comes(says("m1", "zhangsan", "text", { content = "我来" }))
    ctx.echo = function(m)
      desk.echoes[#desk.echoes + 1] = m
      return { id = "m_1" }
    end
    comes(says("m1", "zhangsan", "text", { content = "我来" }))
    assert.equal(1, #desk.echoes)
    local calls = kit.calls_of "sync_msg"
    assert.is_nil(calls[#calls].json.cursor)
  end)
end)
