-- yuelai test channels/weapp
local t, kit = require "test", require "tests.desk"
local json, xml, crypto, secret = require "json", require "xml", require "crypto", require "secret"

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
  local desk, adapter, ctx, delivered
  before_each(function()
    desk = kit.of({ type = "weapp", name = "shop" },
      { appid = "wx0000000000000000", secret = secret.hide "app-secret", token = secret.hide "AAAAA" })
    adapter, ctx, delivered = desk.adapter, desk.ctx, desk.delivered
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
      delivered = desk:anew()
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
end)
