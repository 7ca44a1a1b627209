-- yuelai test channels/wechat
local kit = require "tests.desk"
local json, xml, crypto, secret = require "json", require "xml", require "crypto", require "secret"

local V3 = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=" -- luacheck: ignore 631
local V4 = "rTNFcsut4LfGuAFKEUVVpwcaCOTJzOd9twZdIW910jb3k+iicx2uvhttIZ3Qg9Qgty3BEF2xbOrz6boTfb30dMomcgrkTqdFPwnhqbk+kIQ7rZiwny9D7NUrTgA5kpX3KsZvrXzUZyP2x9YOlxbgm572lmxKvM7HAQQhIQ/p6HBmoY30bGXFK0BtIu1pW9TjhOYrLQoU18nWYjWqDA1ynkmOytpv7QRI1P1+0NoxL0q2zO1DgeSvnE8CZGo/o5Ap/WHK5W2RAsinpzN4/LjPnmB6U01I5XCoJoC0GK/yMZycd2Oh8Nq6+wBkC1U85oy0ktOY4nLvsQMLrourmMGdZHuTbqpeJ8Ao/5PRYJ+WBvRUwPfGKBL2+2IKZF49vAJqkcGWSHGE76ZN2erXeuNazf/o9o3lIE3q739o4c8t9QGPe31GT2Go/rOz1BsrASwvauNulCh+++yz+CQzBIuikA==" -- luacheck: ignore 631

describe("channel wechat", { only = "none" }, function()
  local desk, adapter, ctx, delivered
  before_each(function()
    desk = kit.of({ type = "wechat", name = "account" },
      { appid = "wx0000000000000000", secret = secret.hide "app-secret", token = secret.hide "AAAAA", reply_mode = "service" })
    adapter, ctx, delivered = desk.adapter, desk.ctx, desk.delivered
  end)

  local function call(method, query, body)
    return adapter.receive({ method = method, path = "", query = query, headers = {}, body = body or "" }, ctx)
  end

  -- A push as WeChat sends it in plain mode.
  local function push(fields, as_json)
    for name, value in pairs { ToUserName = "gh_0123456789ab", FromUserName = "oOPENID0000000000000000000001", CreateTime = "1735700000" } do
      fields[name] = fields[name] or value
    end
    local body = as_json and json.encode(fields) or xml.encode(fields, { cdata = true })
    local signature = crypto.sha1(secret.sorted("AAAAA", "1714037059", "486452656"))
    return call("POST", { signature = signature, timestamp = "1714037059", nonce = "486452656" }, body)
  end

  describe("the address", function()
    it("is verified as in V1", function()
      local q = { signature = "f464b24fc39322e44b38aa78f5edd27bd1441696", timestamp = "1714036504",
        nonce = "1514711492", echostr = "4375120948345356249" }
      local status, body = call("GET", q)
      assert.equal(200, status)
      assert.equal("4375120948345356249", body)
      q.signature = "f464b24fc39322e44b38aa78f5edd27bd1441697"
      assert.equal(401, (call("GET", q)))
    end)

    it("answers nobody without a signature, or while there is no token", function()
      assert.equal(401, (call("GET", {})))
      ctx.config.token = nil
      assert.equal(403, (call("GET", {})))
    end)
  end)

  describe("plain mode", function()
    it("takes what is signed as in V2", function()
      local body = xml.encode { FromUserName = "o1", CreateTime = "1", MsgType = "text", Content = "你好", MsgId = "23456789012345678" }
      local q = { signature = "899cf89e464efb63f54ddac96b0a0a235f53aa78", timestamp = "1714037059", nonce = "486452656" }
      local status, answer = call("POST", q, body)
      assert.equal(200, status)
      assert.equal("success", answer)
      assert.same({ { dedupe = "23456789012345678", from = "o1", kind = "text", text = "你好" } }, delivered)
      q.nonce = "486452657"
      assert.equal(401, (call("POST", q, body)))
      assert.equal(1, #delivered)
    end)

    it("reads JSON too, with ids beyond 2^53", function()
      local q = { signature = "899cf89e464efb63f54ddac96b0a0a235f53aa78", timestamp = "1714037059", nonce = "486452656" }
      call("POST", q, '{"ToUserName":"gh_1","FromUserName":"o1","CreateTime":1,"MsgType":"text","Content":"Hi","MsgId":23456789012345678}')
      assert.equal("23456789012345678", delivered[1].dedupe)
      call("POST", q, '{"ToUserName":"gh_1","FromUserName":"o1","CreateTime":1,"MsgType":"text","Content":"Hi","MsgId":1234567890123457}')
      assert.equal("1234567890123457", delivered[2].dedupe)
      ctx.config.format = "xml"
      assert.equal(400, (call("POST", q, "{}")))
    end)

    it("refuses a document with a DTD and half a document", function()
      local q = { signature = "899cf89e464efb63f54ddac96b0a0a235f53aa78", timestamp = "1714037059", nonce = "486452656" }
      assert.equal(400, (call("POST", q, '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Content>&a;</Content></xml>')))
      assert.equal(400, (call("POST", q, "<xml><FromUserName>o1</From")))
      assert.same({}, delivered)
    end)

    it("survives a push cut at every place, and fields of every type", function()
      local q = { signature = "899cf89e464efb63f54ddac96b0a0a235f53aa78", timestamp = "1714037059", nonce = "486452656" }
      local body = xml.encode({ FromUserName = "o1", CreateTime = "1", MsgType = "text", Content = "你好", MsgId = "1" }, { cdata = true })
      for i = 0, #body - 1 do assert.equal(400, (call("POST", q, body:sub(1, i))), "cut at " .. i) end
      assert.same({}, delivered)
      local fields = { "ToUserName", "FromUserName", "CreateTime", "MsgType", "Event", "EventKey", "Content", "MsgId", "PicUrl", "Location_X", "Encrypt" }
      for _, kind in ipairs { "text", "image", "location", "event" } do
        for _, name in ipairs(fields) do
          for _, value in ipairs { 1, true, {}, { 1 }, { a = 1 }, json.null, "" } do
            local x = { FromUserName = "o1", CreateTime = 1, MsgType = kind, Event = "CLICK", EventKey = "A", Content = "Hi", Location_X = 1, Location_Y = 2 }
            x[name] = value
            assert.is_true(call("POST", q, json.encode(x)) >= 200, name)
          end
        end
      end
    end)

    it("takes no push for another account", function()
      ctx.config.original_id = "gh_other"
      assert.equal(403, (push { MsgType = "text", Content = "Hi", MsgId = "1" }))
      assert.same({}, delivered)
    end)
  end)

  describe("safe mode", function()
    local function v3(key)
      ctx.config.appid, ctx.config.encoding_aes_key = "wxba5fad812f8e6fb9", secret.hide(key or ("A"):rep(43))
      return { signature = "6c5c811b55cc85e0e1b54100749188c20beb3f5d", timestamp = "1714112445", nonce = "415670741",
        encrypt_type = "aes", msg_signature = "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3" }
    end
    local body3 = json.encode { ToUserName = "gh_97417a04a28d", Encrypt = V3 }

    it("opens V3, JSON", function()
      local status, answer = call("POST", v3(), body3)
      assert.equal(200, status) -- an event that is no message
      assert.equal("success", answer)
      assert.same({}, delivered)
    end)

    it("V3's signature of the address is right as well", function()
      assert.equal("6c5c811b55cc85e0e1b54100749188c20beb3f5d", crypto.sha1(secret.sorted("AAAAA", "1714112445", "415670741")))
    end)

    it("seals as V3's reply, for whoever answers in the push", function()
      local key = crypto.base64_decode(("A"):rep(43) .. "=")
      local full = "707722b803182950" .. string.char(0, 0, 0, 25) .. '{"demo_resp":"good luck"}' .. "wxba5fad812f8e6fb9"
      assert.equal(63, #full)
      local sealed = crypto.base64_encode(crypto.aes_cbc_encrypt(key, key:sub(1, 16), full, { block = 32 }))
      assert.equal("ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==", sealed)
      assert.equal("1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1", crypto.sha1(secret.sorted("AAAAA", "1713424427", "415670741", sealed)))
    end)

    it("opens V4, XML, whose key has spare bits and whose padding is 21", function()
      ctx.config = { appid = "wxb11529c136998cb6", token = secret.hide "pamtest",
        encoding_aes_key = secret.hide "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG" }
      local q = { timestamp = "1458300676", nonce = "260774613", encrypt_type = "aes", signature = "x",
        msg_signature = "4f3ad57b6989f09f4eb392acce4f9e93942ed890" }
      local status = call("POST", q, xml.encode({ ToUserName = "gh_1", Encrypt = V4 }, { cdata = true }))
      assert.equal(200, status)
      assert.equal("hello", delivered[1].text)
      assert.equal("asdasdasdsadasd", delivered[1].from)
    end)

    it("tries the previous key", function()
      local q = v3 "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
      assert.equal(403, (call("POST", q, body3)))
      ctx.config.previous_aes_key = secret.hide(("A"):rep(43))
      assert.equal(200, (call("POST", q, body3)))
    end)

    it("refuses a forged msg_signature, though `signature` is right", function()
      local q = v3()
      q.msg_signature = q.signature
      assert.equal(401, (call("POST", q, body3)))
      q.msg_signature = nil
      assert.equal(401, (call("POST", q, body3)))
    end)

    it("refuses what is for another appid, cut, or has no key", function()
      local q = v3()
      ctx.config.appid = "wxother"
      local status, why = call("POST", q, body3)
      assert.equal(403, status)
      assert.contains("-40005", why)
      q = v3()
      ctx.config.encoding_aes_key = nil
      assert.equal(403, (call("POST", q, body3)))
      q = v3()
      local cut = V3:sub(1, 40)
      q.msg_signature = crypto.sha1(secret.sorted("AAAAA", q.timestamp, q.nonce, cut))
      assert.equal(403, (call("POST", q, json.encode { Encrypt = cut })))
    end)

    it("reads the sealed half in compatible mode", function()
      local q = v3()
      local body = json.encode { ToUserName = "gh_1", FromUserName = "forged", MsgType = "text", Content = "forged", MsgId = "1", Encrypt = V3 }
      assert.equal(200, (call("POST", q, body)))
      assert.same({}, delivered)
    end)
  end)

  describe("messages", function()
    local function text_of(fields)
      delivered = desk:anew()
      fields.MsgId = fields.MsgId or "1"
      local status, answer = push(fields)
      assert.equal(200, status)
      assert.equal("success", answer)
      return delivered[1] and delivered[1].text
    end

    it("of each type are something people can read", function()
      assert.equal("[链接] 标题 说明 https://x.example.com", text_of { MsgType = "link", Title = "标题", Description = "说明", Url = "https://x.example.com" })
      assert.equal("[暂不支持的消息] sticker", text_of { MsgType = "sticker" })
      assert.equal("[空消息]", text_of { MsgType = "text", Content = "" })
      assert.equal("人工", text_of { MsgType = "text", Content = "人工", bizmsgmenuid = "101" })
    end)

    it("are places where they are", function()
      push { MsgType = "location", Location_X = "23.134521", Location_Y = "113.358803", Scale = "20", Label = "广州塔", MsgId = "1" }
      assert.equal("location", delivered[1].kind)
      assert.near(23.134521, delivered[1].lat, 1e-9)
      assert.near(113.358803, delivered[1].lng, 1e-9)
      assert.equal("广州塔", delivered[1].label)
    end)

    it("of events are those a rule may want", function()
      assert.equal("[关注]", text_of { MsgType = "event", Event = "subscribe", EventKey = "" })
      assert.equal("[关注] 123", text_of { MsgType = "event", Event = "subscribe", EventKey = "qrscene_123", Ticket = "T" })
      assert.equal("[扫码] 123", text_of { MsgType = "event", Event = "SCAN", EventKey = "123", Ticket = "T" })
      assert.equal("[菜单] ORDERS", text_of { MsgType = "event", Event = "CLICK", EventKey = "ORDERS" })
      for _, event in ipairs { "unsubscribe", "VIEW", "LOCATION", "kf_create_session", "TEMPLATESENDJOBFINISH" } do
        assert.is_nil(text_of { MsgType = "event", Event = event, EventKey = "x" }, event)
      end
    end)

    it("of events have a name of their own for repeats", function()
      push { MsgType = "event", Event = "CLICK", EventKey = "A" }
      push { MsgType = "event", Event = "CLICK", EventKey = "A" }
      push { MsgType = "event", Event = "CLICK", EventKey = "B" }
      assert.equal(delivered[1].dedupe, delivered[2].dedupe)
      assert.not_equal(delivered[1].dedupe, delivered[3].dedupe)
    end)

    it("are pushed again when the house cannot take them, and else not", function()
      ctx.deliver = function() return nil, "unavailable", "full" end
      assert.equal(503, (push { MsgType = "text", Content = "Hi", MsgId = "1" }))
      ctx.deliver = function() return nil, "too_large", "text is too long" end
      assert.equal(200, (push { MsgType = "text", Content = "Hi", MsgId = "1" }))
    end)
  end)
end)
