-- yuelai test channels/wecom
local t, kit = require "test", require "tests.desk"
local json, xml, crypto, secret = require "json", require "xml", require "crypto", require "secret"

local API = "https://qyapi.weixin.qq.com/cgi-bin/"
local KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
local W2 = "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==" -- luacheck: ignore 631
local W5_XML = [==[<xml>
<MsgType><![CDATA[text]]></MsgType>
<Content><![CDATA[test]]></Content>
<FromUserName><![CDATA[wx49f0ab532d5d035a]]></FromUserName>
<ToUserName><![CDATA[messense]]></ToUserName>
<AgentID>1</AgentID>
<CreateTime>1411525903</CreateTime>
</xml>]==]
local W5 = "9s4gMv99m88kKTh/H8IdkOiMg6bisoy3ypwy9H4hvSPe9nsGaqyw5hhSjdYbcrKk+j3nba4HMOTzHrluLBYqxgNcBqGsL8GqxlhZgURnAtObvesEl5nZ+uBE8bviY0LWke8Zy9V/QYKxNV2FqllNXcfmstttyIkMKCCmVbCFM2JTF5wY0nFhHZSjPUL2Q1qvSUCUld+/WIXrx0oyKQmpB6o8NRrrNrsDf03oxI1p9FxUgMnwKKZeOA/uu+2IEvEBtb7muXsVbwbgX05UPPJvFurDXafG0RQyPR+mf1nDnAtQmmNOuiR5MIkdQ39xn1vWwi1O5oazPoQJz0nTYjxxEE8kv3kFxtAGVRe3ypD3WeK2XeFYFMNMpatF9XiKzHo3" -- luacheck: ignore 631

describe("channel wecom", { only = "none" }, function()
  local desk, adapter, ctx, delivered, receipts
  before_each(function()
    desk = kit.of({ type = "wecom", name = "kf" }, { corpid = "wx5823bf96d3bd56c7", token = secret.hide "QDG6eK",
      secret = secret.hide "app-secret", encoding_aes_key = secret.hide(KEY) },
      { file = function() return { id = "fi_1", name = "a", mime = "image/png", size = 9 } end })
    adapter, ctx, delivered, receipts = desk.adapter, desk.ctx, desk.delivered, desk.receipts
  end)

  local function call(method, query, body)
    return adapter.receive({ method = method, path = "", query = query, headers = {}, body = body or "" }, ctx)
  end

  local function seal(text, random, corpid, hidden)
    local key = crypto.base64_decode(secret.join(hidden, "="))
    local n = #text
    local full = random .. string.char(0, 0, math.floor(n / 256), n % 256) .. text .. corpid
    return crypto.base64_encode(crypto.aes_cbc_encrypt(key, key:sub(1, 16), full, { block = 32 }))
  end

  describe("callbacks", function()
    it("are opened as in W2", function()
      local q = { msg_signature = "477715d11cdb4164915debcba66cb864d751f3e6", timestamp = "1409659813", nonce = "1372623149" }
      local body = xml.encode({ ToUserName = "wx5823bf96d3bd56c7", Encrypt = W2, AgentID = "218" }, { cdata = true })
      local status, answer = call("POST", q, body)
      assert.equal(200, status)
      assert.equal("success", answer)
      q.msg_signature = nil
      assert.equal(401, (call("POST", q, body)))
      q.msg_signature = "477715d11cdb4164915debcba66cb864d751f3e7"
      assert.equal(401, (call("POST", q, body)))
      assert.equal(400, (call("POST", q, "<xml/>")))
    end)

    it("are sealed as in W5", function()
      local sealed = seal(W5_XML, "1234567890123456", "wx49f0ab532d5d035a", "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR")
      assert.equal(W5, sealed)
      assert.equal("407518b7649e86ef23978113f92d27afa9296533", crypto.sha1(secret.sorted("123456", "1411525903", "461056294", sealed)))
    end)
  end)

  -- A callback: there is news of this account.
  local function rings(kfid, token)
    local text = xml.encode({ ToUserName = ctx.config.corpid, CreateTime = "1", MsgType = "event", Event = "kf_msg_or_event",
      Token = token or "ENC1", OpenKfId = kfid or "wkA" }, { cdata = true })
    local sealed = seal(text, "1234567890123456", ctx.config.corpid, KEY)
    local q = { timestamp = "1", nonce = "2", msg_signature = crypto.sha1(secret.sorted("QDG6eK", "1", "2", sealed)) }
    assert.equal(200, (call("POST", q, xml.encode { Encrypt = sealed })))
  end

  local calls_of = kit.calls_of

  local function has_token(name, times)
    t.http.on("GET " .. API .. "gettoken*", { json = { errcode = 0, access_token = name or "T1", expires_in = 7200 }, times = times })
  end
  local function news(list, more, cursor, times)
    t.http.on("POST " .. API .. "kf/sync_msg*", { json = { errcode = 0, next_cursor = cursor or "N1", has_more = more or 0, msg_list = list }, times = times or 1 })
  end
  local function said(id, kind, content, origin)
    return { msgid = id, open_kfid = "wkA", external_userid = "wmB", send_time = 1735700000, origin = origin or 3, msgtype = kind, [kind] = content }
  end

  describe("news", function()
    before_each(function() has_token() end)

    it("are fetched after a callback, with its token, and once", function()
      rings()
      news { said("m1", "text", { content = "在吗" }), said("m2", "text", { content = "typed in WeCom" }, 5) }
      assert.equal(1, desk.polls_wanted)
      assert.same({ again = 30 }, adapter.poll(ctx))
      assert.same({ { dedupe = "m1", from = "wmB@wkA", kind = "text", text = "在吗" } }, delivered)
      local ask = calls_of("sync_msg")[1].json
      assert.equal("ENC1", ask.token)
      assert.equal("wkA", ask.open_kfid)
      assert.is_nil(ask.cursor)
      adapter.poll(ctx)
      assert.equal(1, #calls_of "sync_msg")
    end)

    it("go on at the cursor, over empty pages", function()
      rings()
      news({ said("m1", "text", { content = "1" }) }, 1, "N1")
      news({}, 1, "N2")
      news({ said("m2", "text", { content = "2" }) }, 0, "N3")
      adapter.poll(ctx)
      assert.equal(2, #delivered)
      rings()
      news {}
      adapter.poll(ctx)
      local asked = calls_of "sync_msg"
      assert.equal("N1", asked[2].json.cursor)
      assert.equal("N2", asked[3].json.cursor)
      assert.equal("N3", asked[4].json.cursor)
    end)

    it("are asked for without the callback's token when that is over", function()
      rings()
      t.http.on("POST " .. API .. "kf/sync_msg*", { json = { errcode = 95007, errmsg = "invalid token" }, times = 1 })
      news { said("m1", "text", { content = "1" }) }
      adapter.poll(ctx)
      assert.equal(1, #delivered)
      assert.is_nil(calls_of("sync_msg")[2].json.token)
    end)

    it("are asked for again when WeCom is down", function()
      rings()
      t.http.on("POST " .. API .. "kf/sync_msg*", { fails = "timeout", times = 1 })
      assert.same({ again = 10 }, adapter.poll(ctx))
      news { said("m1", "text", { content = "1" }) }
      adapter.poll(ctx)
      assert.equal(1, #delivered)
    end)

    it("stay where they are when the house cannot take them", function()
      local deliver = ctx.deliver
      rings()
      ctx.deliver = function() return nil, "unavailable", "full" end
      news({ said("m1", "text", { content = "1" }) }, 0, "N1")
      adapter.poll(ctx)
      ctx.deliver = deliver
      news { said("m1", "text", { content = "1" }) }
      adapter.poll(ctx)
      assert.equal(1, #delivered)
      assert.is_nil(calls_of("sync_msg")[2].json.cursor)
    end)

    it("of other accounts are left alone", function()
      ctx.config.open_kfid = "wkB"
      rings "wkA"
      news {}
      adapter.poll(ctx)
      for _, c in ipairs(calls_of "sync_msg") do assert.equal("wkB", c.json.open_kfid) end
    end)

    it("are asked for every five minutes without a callback", function()
      ctx.config.open_kfid = "wkA"
      news({}, 0, "N1", 9)
      adapter.poll(ctx)
      adapter.poll(ctx)
      assert.equal(1, #calls_of "sync_msg")
      t.advance "301s"
      adapter.poll(ctx)
      assert.equal(2, #calls_of "sync_msg")
    end)

    it("of each type are something people can read", function()
      rings()
      news { said("1", "image", { media_id = "M" }), said("2", "voice", { media_id = "M" }), said("3", "video", { media_id = "M" }),
        said("4", "file", { media_id = "M" }), said("5", "location", { latitude = 31.2, longitude = 121.5, name = "外滩", address = "上海" }),
        said("6", "link", { title = "标题", desc = "说明", url = "https://x.example.com", pic_url = "p" }), said("7", "miniprogram", { title = "商城" }),
        said("8", "merged_msg", { title = "聊天", item = {} }), said("9", "channels_shop_order", { order_id = "1" }), said("10", "business_card", { userid = "u" }),
        { msgid = "11", origin = 3, msgtype = "text", text = { content = "from nobody" } } }
      adapter.poll(ctx)
      local list = {}
      for i, m in ipairs(delivered) do list[i] = m.text or m.kind end
      assert.same({ "image", "audio", "video", "file", "location", "[链接] 标题 说明 https://x.example.com", "[小程序] 商城",
        "[聊天记录] 聊天", "[暂不支持的消息] channels_shop_order", "[名片]" }, list)
      assert.equal("外滩", delivered[5].label)
    end)

    it("never stop at one that is strange", function()
      local list = { 1, "x", {}, { msgid = "e", msgtype = "event", event = 1 } }
      for _, name in ipairs { "msgid", "open_kfid", "external_userid", "send_time", "origin", "msgtype", "text", "event" } do
        for _, value in ipairs { 1, true, {}, { 1 }, json.null, "" } do
          for _, kind in ipairs { "text", "location", "link", "image", "event" } do
            local m = said("s" .. #list, kind, { event_type = "msg_send_fail", fail_msgid = 1, media_id = value })
            m[name] = value
            list[#list + 1] = m
          end
        end
      end
      list[#list + 1] = said("last", "text", { content = "here" })
      rings()
      news(list)
      assert.same({ again = 30 }, adapter.poll(ctx))
      assert.equal("here", delivered[#delivered].text)
    end)

    it("of a message that failed reach its sender", function()
      rings()
      news { { msgid = "e1", origin = 4, msgtype = "event", send_time = 1, event = { event_type = "msg_send_fail", fail_msgid = "ob_1-2", fail_type = 4 } } }
      adapter.poll(ctx)
      assert.equal("ob_1", receipts[1].sent)
      assert.equal("failed", receipts[1].status)
      assert.contains("48", receipts[1].why)
    end)

    it("of who comes in are welcomed, if it is not too late", function()
      ctx.config.welcome = "欢迎光临"
      t.http.on("POST " .. API .. "kf/send_msg_on_event*", { json = { errcode = 0 } })
      local function enters(seconds_ago)
        rings()
        news { { msgid = "e" .. seconds_ago, origin = 4, msgtype = "event", send_time = math.floor(t.now() / 1000) - seconds_ago,
          event = { event_type = "enter_session", welcome_code = "WC", open_kfid = "wkA", external_userid = "wmB" } } }
        adapter.poll(ctx)
      end
      enters(1)
      enters(30)
      assert.equal(1, #calls_of "send_msg_on_event")
      assert.same({ code = "WC", msgtype = "text", text = { content = "欢迎光临" } }, calls_of("send_msg_on_event")[1].json)
      assert.same({}, delivered)
    end)

    it("of who comes in with a parameter are texts", function()
      local function happens(id, e)
        e.open_kfid, e.external_userid = "wkA", "wmB"
        news { { msgid = id, origin = 4, msgtype = "event", send_time = 1, event = e } }
        adapter.poll(ctx, rings())
      end
      happens("e1", { event_type = "enter_session", scene = "site1", scene_param = "order=42" })
      assert.same({ { dedupe = "e1", from = "wmB@wkA", kind = "text", text = "[进入会话] site1 order=42" } }, delivered)
    end)
  end)
end)
