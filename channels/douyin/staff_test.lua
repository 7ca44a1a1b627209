-- yuelai test channels/douyin: what the account itself says in Douyin.
local t, kit = require "test", require "tests.desk"
local json, crypto, secret, time = require "json", require "crypto", require "secret", require "time"

describe("channel douyin, staff in Douyin's app", { only = "none" }, function()
  local desk, adapter, ctx
  before_each(function()
    t.at "2025-01-01 11:00 +08:00"
    desk = kit.of({ type = "douyin", name = "shop" }, { client_key = "awKEY",
      client_secret = secret.hide "test_client_secret", open_id = "B_OPENID", refresh_token = secret.hide "rft.1" })
    adapter, ctx = desk.adapter, desk.ctx
  end)

  local function happens(event, content, more)
    local all = { conversation_short_id = "@CONV==", server_message_id = "@MSG2==", conversation_type = 1,
      create_time = time.now(), message_type = "text", text = "Hi", source = "",
      user_infos = { { open_id = "C_OPENID", nick_name = "小王" }, { open_id = "B_OPENID", nick_name = "店" } } }
    for name, value in pairs(content or {}) do all[name] = value end
    local e = { event = event, client_key = "awKEY", from_user_id = "B_OPENID", to_user_id = "C_OPENID",
      content = json.encode(all) }
    for name, value in pairs(more or {}) do e[name] = value end
    local body = json.encode(e)
    return adapter.receive({ method = "POST", path = "", query = {}, body = body,
      headers = { ["x-douyin-signature"] = crypto.sha1("test_client_secret" .. body) } }, ctx)
  end

  it("stands here as theirs, with its words or what they are", function()
    assert.equal(200, (happens "im_send_msg"))
    assert.equal(200, (happens("im_send_msg", { message_type = "emoji" })))
    assert.equal(200, (happens("im_send_msg", { source = "another-tool" })))
    assert.equal(3, #desk.echoes)
    assert.same({ dedupe = "@MSG2==", to = "C_OPENID", name = "店", profile = { name = "小王" }, kind = "text",
      text = "Hi" }, desk.echoes[1])
    assert.equal("[表情]", desk.echoes[2].text)
    assert.same({}, desk.delivered)
  end)

  it("is not ours again, nor another account's, nor a group's", function()
    happens("im_send_msg", { source = "awKEY" })
    happens("im_send_msg", {}, { from_user_id = "B_OTHER" })
    happens("im_send_msg", {}, { client_key = "other" })
    happens("im_send_msg", { conversation_type = 2 })
    happens("im_send_msg", { server_message_id = json.null })
    happens("im_send_msg", {}, { to_user_id = json.null })
    happens("im_send_msg", {}, { from_user_id = json.null })
    assert.same({}, desk.echoes)
  end)

  it("brings its picture, asked for as the account", function()
    local asked
    t.http.on("POST https://open.douyin.com/oauth/refresh_token/", { json = { message = "success", data = {
      access_token = "act.1", expires_in = 1296000, error_code = 0, refresh_token = "rft.1" } } })
    t.http.on("GET https://open.douyin.com/api/im/message/resources/*", function(req)
      asked = req.query.open_id
      return { json = { data = { error_code = 0, url = "https://v.douyin.example/a.jpg" } } }
    end)
    desk.files = { { { id = "fi_1", name = "a.jpg", mime = "image/jpeg", size = 9 } } }
    assert.equal(200, (happens("im_send_msg", { message_type = "user_local_image" })))
    assert.equal("B_OPENID", asked)
    assert.equal("image", desk.echoes[1].kind)
    assert.equal("fi_1", desk.echoes[1].file.id)
    assert.equal("C_OPENID", desk.echoes[1].to)
  end)

  it("is pushed again while the house cannot take it", function()
    ctx.echo = function() return nil, "unavailable", "is it this one?" end
    assert.equal(503, (happens "im_send_msg"))
    ctx.echo = function() return nil, "bad_request", "no" end
    assert.equal(200, (happens "im_send_msg"))
  end)

  it("is taken back here when it is taken back there", function()
    local told = {}
    ctx.recalled = function(what)
      told[#told + 1] = what
      return nil, "not_found", "there is none"
    end
    assert.equal(200, (happens "im_recall_msg"))
    assert.same({ { sent = "@MSG2==" } }, told)
    ctx.recalled = function() return nil, "unavailable", "full" end
    assert.equal(503, (happens "im_recall_msg"))
  end)

  it("a consent to be written to is noted for people, whatever is in it", function()
    local more = { from_user_id = "C_OPENID", to_user_id = "B_OPENID" }
    for _, odd in ipairs { 1672821453, "x", true, {} } do
      assert.equal(200, (happens("im_authorize", { auth_status = 1, expire_time = odd, source = odd }, more)))
    end
    assert.same({}, desk.delivered)
    assert.same({}, desk.echoes)
  end)
end)
