-- yuelai test channels/weapp
local t = require "test"
local json, xml, crypto, secret = require "json", require "xml", require "crypto", require "secret"

local TOKEN_URL = "POST https://api.weixin.qq.com/cgi-bin/stable_token"
local SEND_URL = "POST https://api.weixin.qq.com/cgi-bin/message/custom/send*"
-- A secure push whose key is 43 times A.
local SEALED = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzD"
  .. "pVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwK"
  .. "SqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
local RAW_DATA = '{"nickName":"Band","gender":1,"language":"zh_CN","city":"Guangzhou","province":"Guangdong",'
  .. '"country":"CN",'
  .. '"avatarUrl":"http://wx.qlogo.cn/mmopen/vi_32/1vZvI39NWFQ9XM4LtQpFrQJ1xlgZxx3w7bQxKARol6503Iuswjjn6nIGBiaycAjA'
  .. 'tpujxyzYsrztuuICqIM5ibXQ/0"}'
local PERSON = "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVb"
  .. "JSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc"
  .. "2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96"
  .. "JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12"
  .. "PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/X"
  .. "cxxmK01EpqOyuxINew=="

describe("channel weapp", { only = "none" }, function()
  local adapter, ctx, delivered
  before_each(function()
    adapter = t.load "channels/weapp"
    delivered = {}
    ctx = {
      channel = { id = "ch_1", type = "weapp", name = "shop" },
      config = { appid = "wx0000000000000000", secret = secret.hide "app-secret", token = secret.hide "AAAAA" },
      deliver = function(message)
        delivered[#delivered + 1] = message
        return { id = "m_1", conversation = "cv_1", seq = 1, duplicate = false }
      end,
    }
  end)

  local function call(method, query, body)
    return adapter.receive({ method = method, path = "", query = query, headers = {}, body = body or "" }, ctx)
  end

  -- A push as WeChat sends it in plain mode; without `as_xml` in JSON.
  local function push(fields, as_xml)
    for name, value in pairs { ToUserName = "gh_0123456789ab", FromUserName = "oOPENID", CreateTime = 1735700000 } do
      fields[name] = fields[name] or value
    end
    local body = as_xml and xml.encode(fields, { cdata = true }) or json.encode(fields)
    local signature = crypto.sha1(secret.sorted("AAAAA", "1714037059", "486452656"))
    return call("POST", { signature = signature, timestamp = "1714037059", nonce = "486452656" }, body)
  end

  local function sealed_query()
    ctx.config.appid, ctx.config.encoding_aes_key = "wxba5fad812f8e6fb9", secret.hide(("A"):rep(43))
    return { timestamp = "1714112445", nonce = "415670741", encrypt_type = "aes",
      msg_signature = "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3" }
  end

  describe("vectors", function()
    it("URL check", function()
      local q = { signature = "f464b24fc39322e44b38aa78f5edd27bd1441696", timestamp = "1714036504",
        nonce = "1514711492", echostr = "4375120948345356249" }
      local status, body = call("GET", q)
      assert.equal(200, status)
      assert.equal("4375120948345356249", body)
      q.signature = "f464b24fc39322e44b38aa78f5edd27bd1441697"
      assert.equal(401, (call("GET", q)))
      assert.equal(401, (call("GET", {})))
      ctx.config.token = nil
      assert.equal(403, (call("GET", q)))
    end)

    it("secure push, in JSON and in XML", function()
      local q = sealed_query()
      local status, answer = call("POST", q, json.encode { ToUserName = "gh_97417a04a28d", Encrypt = SEALED })
      assert.equal(200, status)
      assert.equal("success", answer)
      ctx.config.format = "auto"
      assert.equal(200, (call("POST", q, xml.encode({ ToUserName = "gh_1", Encrypt = SEALED }, { cdata = true }))))
      assert.same({}, delivered) -- debug_demo is no message
      local text, id = t.load("lib/channels").open(("A"):rep(43), SEALED)
      assert.equal(167, #text)
      assert.equal("wxba5fad812f8e6fb9", id)
      assert.equal("hello world", json.decode(text).debug_str)
    end)

    it("reply, for whoever answers in the push", function()
      local lib = t.load "lib/channels"
      local sealed = lib.seal(("A"):rep(43), '{"demo_resp":"good luck"}', "wxba5fad812f8e6fb9", "707722b803182950")
      assert.equal("ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==", sealed)
      local signature = crypto.sha1(secret.sorted("AAAAA", "1713424427", "415670741", sealed))
      assert.equal("1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1", signature)
    end)

    it("rawData and encryptedData, for whoever takes a login", function()
      assert.equal("75e81ceda165f4ffa64f4068af58c64b8f54b88c", crypto.sha1(RAW_DATA .. "HyVFkGl5F5OQWJZZaNzBBg=="))
      local key, iv = crypto.base64_decode "tiihtNczf5v6AKRyjwEUhQ==", crypto.base64_decode "r7BXXKkLb8qrSNn05n0qiA=="
      local person = json.decode(crypto.aes_cbc_decrypt(key, iv, crypto.base64_decode(PERSON)))
      assert.equal("oGZUI0egBJY1zhBYw2KhdUfwVJJE", person.openId)
      assert.equal("Band", person.nickName)
      assert.equal(1477314187, person.watermark.timestamp)
      assert.equal("wx4f4bc4dec97d474b", person.watermark.appid)
    end)
  end)

  describe("safe mode", function()
    it("refuses a forged msg_signature, another appid, another key, no key", function()
      local q, body = sealed_query(), json.encode { Encrypt = SEALED }
      q.signature, q.msg_signature = crypto.sha1(secret.sorted("AAAAA", q.timestamp, q.nonce)), nil
      assert.equal(401, (call("POST", q, body)))
      q.msg_signature = q.signature
      assert.equal(401, (call("POST", q, body)))
      q = sealed_query()
      ctx.config.appid = "wxother"
      local status, why = call("POST", q, body)
      assert.equal(403, status)
      assert.contains("-40005", why)
      q = sealed_query()
      ctx.config.encoding_aes_key = nil
      assert.equal(403, (call("POST", q, body)))
      ctx.config.encoding_aes_key = secret.hide(("b"):rep(43))
      assert.equal(403, (call("POST", q, body)))
      ctx.config.previous_aes_key = secret.hide(("A"):rep(43))
      assert.equal(200, (call("POST", q, body)))
    end)

    it("refuses what is cut, wherever", function()
      local q = sealed_query()
      for _, size in ipairs { 1, 4, 22, 40, 64, #SEALED - 4 } do
        local cut = SEALED:sub(1, size)
        q.msg_signature = crypto.sha1(secret.sorted("AAAAA", q.timestamp, q.nonce, cut))
        assert.equal(403, (call("POST", q, json.encode { Encrypt = cut })), "of " .. size)
      end
    end)

    it("reads the sealed half in compatible mode", function()
      local q = sealed_query()
      assert.equal(200, (call("POST", q, json.encode {
        FromUserName = "forged", MsgType = "text", Content = "forged", MsgId = "1", Encrypt = SEALED,
      })))
      assert.same({}, delivered)
    end)
  end)

  describe("messages", function()
    local function text_of(fields, as_xml)
      delivered = {}
      fields.MsgId = fields.MsgId or (fields.MsgType ~= "event" and "1" or nil)
      local status, answer = push(fields, as_xml)
      assert.equal(200, status)
      assert.equal("success", answer)
      return delivered[1] and delivered[1].text
    end

    it("come in JSON with ids beyond 2^53, and in XML", function()
      local signature = crypto.sha1(secret.sorted("AAAAA", "1", "2"))
      local q = { signature = signature, timestamp = "1", nonce = "2" }
      local body = '{"ToUserName":"gh_1","FromUserName":"oOPENID","CreateTime":1735700000,"MsgType":"text",'
        .. '"Content":"你好","MsgId":23456789012345678}'
      assert.equal(200, (call("POST", q, body)))
      assert.same({ dedupe = "23456789012345678", from = "oOPENID", kind = "text", text = "你好" }, delivered[1])
      assert.equal("在吗", text_of({ MsgType = "text", Content = "在吗", MsgId = "7" }, true))
      q.nonce = "3"
      assert.equal(401, (call("POST", q, body)))
    end)

    it("of each type are something people can read", function()
      assert.equal("[图片] https://x/y", text_of { MsgType = "image", PicUrl = "https://x/y", MediaId = "M" })
      local card = { MsgType = "miniprogrampage", Title = "连衣裙", AppId = "wx1", PagePath = "pages/a?id=1" }
      assert.equal("[小程序卡片] 连衣裙 pages/a?id=1", text_of(card))
      assert.equal("[暂不支持的消息] voice", text_of { MsgType = "voice" })
      assert.equal("[空消息]", text_of { MsgType = "text", Content = "" })
    end)

    it("of one who comes in through a button say where from", function()
      local enter = { MsgType = "event", Event = "user_enter_tempsession", SessionFrom = "order=42" }
      assert.equal("[进入会话] order=42", text_of(enter))
      assert.equal("e:oOPENID:1735700000:user_enter_tempsession", delivered[1].dedupe)
      assert.is_nil(text_of { MsgType = "event", Event = "user_enter_tempsession", SessionFrom = "" })
      assert.is_nil(text_of { MsgType = "event", Event = "debug_demo", debug_str = "x" })
      assert.is_nil(text_of { MsgType = "event", Event = "kf_close_session" })
    end)

    it("are refused in another format, half, with a DTD, or for another account", function()
      ctx.config.format = "xml"
      assert.equal(400, (push { MsgType = "text", Content = "Hi", MsgId = "1" }))
      ctx.config.format = nil
      local q = { signature = crypto.sha1(secret.sorted("AAAAA", "1", "2")), timestamp = "1", nonce = "2" }
      assert.equal(400, (call("POST", q, "<xml><FromUserName>o1</From")))
      assert.equal(400, (call("POST", q, '<!DOCTYPE x [<!ENTITY a "b">]><xml><Content>&a;</Content></xml>')))
      ctx.config.original_id = "gh_other"
      assert.equal(403, (push { MsgType = "text", Content = "Hi", MsgId = "1" }))
      assert.same({}, delivered)
    end)

    it("are pushed again when the house cannot take them, and else not", function()
      ctx.deliver = function() return nil, "unavailable", "full" end
      assert.equal(503, (push { MsgType = "text", Content = "Hi", MsgId = "1" }))
      ctx.deliver = function() return nil, "too_large", "text is too long" end
      assert.equal(200, (push { MsgType = "text", Content = "Hi", MsgId = "1" }))
    end)

    it("with fields of any type are answered, never an error", function()
      for _, odd in ipairs { 1, true, json.null, {}, { a = 1 } } do
        for _, name in ipairs { "MsgType", "Content", "MsgId", "FromUserName", "Event", "SessionFrom", "PicUrl" } do
          for _, kind in ipairs { "text", "image", "event", "miniprogrampage" } do
            local fields = { MsgType = kind, MsgId = "1", Content = "Hi", Event = "user_enter_tempsession" }
            fields[name] = odd
            assert.equal(200, (push(fields)), name)
          end
        end
      end
    end)

    it("are not the probe of 云托管", function()
      local status, answer = call("POST", {}, '{"action":"CheckContainerPath"}')
      assert.equal(200, status)
      assert.equal("success", answer)
      assert.equal(401, (call("POST", {}, '{"action":"CheckContainerPath","MsgType":"text"}')))
    end)
  end)

  describe("answers", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "oOPENID", kind = "text", text = "您好，请讲", attempt = 1 }
      t.http.on(TOKEN_URL, { json = { access_token = "T1", expires_in = 7200 }, times = 1 })
    end)

    local function sends(answer)
      t.http.on(SEND_URL, { json = answer or { errcode = 0, errmsg = "ok" }, times = 1 })
      return adapter.send(item, ctx)
    end
    local function sent(i)
      local list = {}
      for _, c in ipairs(t.http.calls()) do
        if c.path:find "custom/send" then list[#list + 1] = c end
      end
      return i and list[i] or list
    end

    it("are sent with a token that is fetched once", function()
      assert.same({ sent = "ob_1" }, sends())
      assert.same({ sent = "ob_1" }, sends())
      assert.equal(3, #t.http.calls())
      local ask = t.http.calls()[1].json
      assert.equal("app-secret", ask.secret)
      assert.equal(false, ask.force_refresh)
      assert.equal("T1", sent(1).query.access_token)
      assert.same({ touser = "oOPENID", msgtype = "text", text = { content = "您好，请讲" } }, sent(1).json)
      assert.contains("您好，请讲", sent(1).body)
    end)

    it("fetch a new token five minutes before its end", function()
      t.http.on(TOKEN_URL, { json = { access_token = "T2", expires_in = 7200 } })
      sends()
      t.advance "6899s"
      sends()
      t.advance "1s"
      sends()
      assert.equal("T1", sent(2).query.access_token)
      assert.equal("T2", sent(3).query.access_token)
    end)

    it("fetch a new token once when theirs is stale", function()
      t.http.on(TOKEN_URL, { json = { access_token = "T2", expires_in = 7200 } })
      t.http.on(SEND_URL, { json = { errcode = 42001, errmsg = "stale" }, times = 1 })
      assert.same({ sent = "ob_1" }, sends())
      assert.equal("T2", sent(2).query.access_token)
      t.http.on(SEND_URL, { json = { errcode = 40001, errmsg = "stale" }, times = 2 })
      assert.equal(60, adapter.send(item, ctx).retry)
      assert.equal(4, #sent())
    end)

    it("fail with a reason, or come again, by error code", function()
      local cases = {
        [45015] = "window_closed", [48001] = "not_allowed", [40003] = "no_recipient", [87014] = "content_refused",
        [40007] = "refused", [44002] = "refused", [47001] = "refused",
        [-1] = 5, [45009] = 600, [45011] = 60, [45047] = 600,
      }
      for code, expected in pairs(cases) do
        local got = sends { errcode = code, errmsg = "x" }
        assert.equal(expected, got.failed or got.retry, "code " .. code)
        assert.contains(tostring(code), got.why)
        assert.equal(code == 45047 or nil, got.until_heard)
      end
    end)

    it("come again when WeChat is down", function()
      t.http.on(SEND_URL, { fails = "timeout", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
      t.http.on(SEND_URL, { status = 502, body = "<html>", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
    end)

    it("in pieces are whole characters, and none twice after a failure", function()
      item.text = ("退款"):rep(500) -- 3000 bytes
      t.http.on(SEND_URL, { json = { errcode = 0 }, times = 1 })
      t.http.on(SEND_URL, { json = { errcode = -1 }, times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
      assert.same({ sent = "ob_1" }, sends())
      assert.equal(3, #sent())
      assert.equal(2046, #sent(1).json.text.content)
      assert.equal(item.text, sent(1).json.text.content .. sent(3).json.text.content)
    end)

    it("as cards are a link or words, as places words", function()
      item.kind, item.text = "card", nil
      item.card = { title = "订单 47", text = "已发货", url = "https://x.cn/47", image = "https://x.cn/i.png" }
      sends()
      local link = { title = "订单 47", description = "已发货", url = "https://x.cn/47", thumb_url = "https://x.cn/i.png" }
      assert.same(link, sent(1).json.link)
      item.card = { title = "满意吗？", buttons = { { label = "满意" }, { label = "更多", url = "https://x.cn" } } }
      sends()
      assert.equal("满意吗？\n1. 满意\n更多：https://x.cn", sent(2).json.text.content)
      item = { id = "ob_2", to = "oOPENID", kind = "location", lat = 31.2, lng = 121.5, label = "外滩" }
      sends()
      assert.equal("[位置] 外滩 (31.200000,121.500000)", sent(3).json.text.content)
    end)

    it("as files are not there yet, and say so; without a secret nothing goes", function()
      item.kind, item.file = "image", "f_1"
      assert.equal("unsupported", adapter.send(item, ctx).failed)
      item.kind, ctx.config.secret = "text", nil
      assert.equal("config", adapter.send(item, ctx).failed)
    end)

    it("are dead at once while the settings are wrong", function()
      ctx.config.appid = "wx2"
      t.http.on(TOKEN_URL, { json = { errcode = 40125, errmsg = "invalid appsecret" } })
      sends() -- the token of before_each
      ctx.config.appid = "wx3"
      local got = adapter.send(item, ctx)
      assert.equal("config", got.failed)
      assert.contains("AppSecret", got.why)
    end)

    it("welcome who comes in, once, even through repeated pushes", function()
      ctx.config.welcome = "欢迎光临"
      t.http.on(SEND_URL, { json = { errcode = 0 } })
      push { MsgType = "event", Event = "user_enter_tempsession", SessionFrom = "" }
      push { MsgType = "event", Event = "user_enter_tempsession", SessionFrom = "" }
      assert.equal(1, #sent())
      assert.equal("欢迎光临", sent(1).json.text.content)
    end)
  end)

  describe("check", function()
    local function says(config, answer)
      if answer then t.http.on(TOKEN_URL, { json = answer, times = 1 }) end
      local ok, code, why = adapter.check(config, ctx)
      return ok == true and "ok" or code, why
    end

    it("is content with good settings", function()
      assert.equal("ok", (says(ctx.config, { access_token = "T", expires_in = 7200 })))
    end)

    it("says in words what is wrong, and names the setting that is missing", function()
      local _, why = says(ctx.config, { errcode = 40164, errmsg = "invalid ip 203.0.113.7, not in whitelist" })
      assert.contains("白名单", why)
      assert.contains("203.0.113.7", why)
      assert.equal("appid", (says { appid = "gh_1" }))
      assert.equal("token", (says { appid = "wx1" }))
      assert.equal("secret", (says { appid = "wx1", token = "t" }))
      assert.equal("encoding_aes_key", (says { appid = "wx1", token = "t", encoding_aes_key = "short" }))
      t.http.on(TOKEN_URL, { fails = "unavailable" })
      assert.equal("unavailable", (says { appid = "wx1", token = "t", secret = "s" }))
    end)
  end)
end)
