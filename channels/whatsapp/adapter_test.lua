-- yuelai test channels/whatsapp
local t, kit = require "test", require "tests.desk"
local json, crypto, secret = require "json", require "crypto", require "secret"

-- As Meta pushes it: what is not ASCII is escaped.
local PUSH = [[{"object":"whatsapp_business_account","entry":[{"id":"WABA","changes":[{"field":"messages","value":{]]
  .. [["messaging_product":"whatsapp","metadata":{"display_phone_number":"15550001","phone_number_id":"1001"},]]
  .. [["contacts":[{"wa_id":"8613800000000","profile":{"name":"Li"}}],"messages":[{"from":"8613800000000",]]
  .. [["id":"wamid.X","timestamp":"1735700000","type":"text","text":{"body":"\u4f60\u597d"}}]}}]}]}]]

describe("channel whatsapp", { only = "none" }, function()
  local desk, adapter, ctx, delivered, receipts
  before_each(function()
    desk = kit.of({ type = "whatsapp", name = "WA" }, { phone_number_id = "1001", access_token = secret.hide "EAAG",
      app_secret = secret.hide "test_app_secret", verify_token = secret.hide "v3rify" }, { receipt = function(receipt)
        if receipt.sent == "wamid.other" then return nil, "not_found", "none was sent" end
      end })
    adapter, ctx, delivered, receipts = desk.adapter, desk.ctx, desk.delivered, desk.receipts
  end)

  local function call(method, body, headers, query)
    local req = { method = method, path = "", query = query or {}, headers = headers or {}, body = body or "" }
    return adapter.receive(req, ctx)
  end
  local function push(body)
    local text = type(body) == "table" and json.encode(body) or body
    return call("POST", text, { ["x-hub-signature-256"] = "sha256=" .. crypto.hmac("sha256", "test_app_secret", text) })
  end
  local function value_of(value, number)
    value.metadata = { phone_number_id = number or "1001" }
    local change = { field = "messages", value = value }
    return { object = "whatsapp_business_account", entry = { { id = "W", changes = { change } } } }
  end
  local function message(fields, number)
    fields.from, fields.id = fields.from or "8613800000000", fields.id or "wamid.1"
    return push(value_of({ messages = { fields } }, number))
  end
  local function text_of(fields)
    delivered = desk:anew()
    assert.equal(200, (message(fields)))
    return delivered[1] and delivered[1].text
  end

  describe("the address", function()
    it("is verified with the verify token", function()
      local q = { ["hub.mode"] = "subscribe", ["hub.verify_token"] = "v3rify", ["hub.challenge"] = "123" }
      local status, body = call("GET", "", {}, q)
      assert.equal(200, status)
      assert.equal("123", body)
      q["hub.verify_token"] = "v3rifz"
      assert.equal(403, (call("GET", "", {}, q)))
      assert.equal(403, (call("GET")))
      ctx.config.verify_token, q["hub.verify_token"] = nil, ""
      assert.equal(403, (call("GET", "", {}, q)))
    end)

    it("takes what is signed as in the test vector, and nothing else", function()
      local body = '{"object":"whatsapp_business_account","entry":[]}'
      local sum = "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756"
      assert.equal(200, (call("POST", body, { ["x-hub-signature-256"] = "sha256=" .. sum })))
      assert.equal(401, (call("POST", body .. " ", { ["x-hub-signature-256"] = "sha256=" .. sum })))
      assert.equal(401, (call("POST", body, { ["x-hub-signature-256"] = "sha256=" .. sum:sub(1, 63) .. "7" })))
      assert.equal(401, (call("POST", body)))
      ctx.config.app_secret = nil
      assert.equal(403, (call("POST", body, { ["x-hub-signature-256"] = "sha256=" .. sum })))
    end)
  end)

  describe("messages in", function()
    it("come with name and number", function()
      assert.equal(200, (push(PUSH)))
      assert.same({ { dedupe = "wamid.X", from = "8613800000000", name = "Li", profile = { phone = "+8613800000000" },
        kind = "text", text = "你好" } }, delivered)
    end)

    it("of people without a visible number come by their other id", function()
      push(value_of {
        contacts = { { user_id = "US.1349", profile = { name = "Ann" } } },
        messages = { { from_user_id = "US.1349", id = "wamid.2", type = "text", text = { body = "Hi" } } },
      })
      assert.same({ { dedupe = "wamid.2", from = "US.1349", name = "Ann", kind = "text", text = "Hi" } }, delivered)
    end)

    it("of each type are something people can read", function()
      assert.equal("[回应] 👍", text_of { type = "reaction", reaction = { message_id = "wamid.Y", emoji = "👍" } })
      assert.is_nil(text_of { type = "reaction", reaction = { message_id = "wamid.Y" } })
      assert.equal("[名片] Li +86 138", text_of { type = "contacts",
        contacts = { { name = { formatted_name = "Li" }, phones = { { phone = "+86 138" } } } } })
      assert.equal("refund", text_of { type = "interactive",
        interactive = { type = "button_reply", button_reply = { id = "refund", title = "退款" } } })
      assert.equal("row-2", text_of { type = "interactive",
        interactive = { type = "list_reply", list_reply = { id = "row-2", title = "二" } } })
      assert.equal("[暂不支持的消息]", text_of { type = "interactive",
        interactive = { type = "nfm_reply", nfm_reply = {} } })
      assert.equal("好的", text_of { type = "button", button = { payload = "P", text = "好的" } })
      assert.equal("[系统] changed", text_of { type = "system", system = { body = "changed" } })
      assert.equal("[暂不支持的消息] unsupported", text_of { type = "unsupported", errors = { { code = 131051 } } })
      assert.equal("[空消息]", text_of { type = "text", text = {} })
    end)

    it("are places where they are", function()
      message { type = "location", location = { latitude = 31.2, longitude = 121.5, name = "外滩", address = "上海" } }
      assert.equal("location", delivered[1].kind)
      assert.equal(31.2, delivered[1].lat)
      assert.equal("外滩", delivered[1].label)
      assert.equal("[位置] 外滩", text_of { type = "location", location = { name = "外滩" } })
    end)

    it("for another number of the same app are left alone", function()
      assert.equal(200, (message({ type = "text", text = { body = "Hi" } }, "1002")))
      assert.same({}, delivered)
    end)

    it("are pushed again when the house cannot take one, but all others are taken", function()
      local n = 0
      ctx.deliver = function()
        n = n + 1
        if n == 1 then return nil, "unavailable", "full" end
        return { id = "m_1" }
      end
      local list = {}
      for i = 1, 3 do list[i] = { from = "1", id = "w" .. i, type = "text", text = { body = "Hi" } } end
      assert.equal(503, (push(value_of { messages = list })))
      assert.equal(3, n)
      ctx.deliver = function() return nil, "too_large", "text is too long" end
      assert.equal(200, (message { type = "text", text = { body = "Hi" } }))
    end)

    it("are remembered for typing, which names the last of them; who wrote none is told nothing", function()
      t.http.on("POST https://graph.facebook.com/v21.0/*", { json = { success = true } })
      adapter.typing({ to = "8613800000001" }, ctx)
      assert.same({}, t.http.calls())
      for i = 1, 2 do
        push(value_of { messages = { { from = "8613800000001", id = "w" .. i, type = "text", text = { body = "Hi" } } } })
      end
      adapter.typing({ to = "8613800000001" }, ctx)
      assert.same({ messaging_product = "whatsapp", status = "read", message_id = "w2", typing_indicator = { type = "text" } },
        t.http.calls()[1].json)
    end)

    it("that make no sense break nothing", function()
      ctx.config.access_token = nil -- so many pushes in one test: nothing is remembered
      assert.equal(400, (push "no"))
      for i = 1, #PUSH - 1, 7 do assert.equal(400, (push(PUSH:sub(1, i)))) end
      for _, value in ipairs { 1, true, "x", {}, { 1 }, { a = 1 }, json.null } do
        for _, name in ipairs { "from", "id", "type", "text", "from_user_id" } do
          local m = { from = "1", id = "w", type = "text", text = { body = "Hi" } }
          m[name] = value
          assert.equal(200, (push(value_of { messages = { m }, contacts = { value }, statuses = { value } })))
        end
        for _, kind in ipairs { "image", "location", "contacts", "interactive", "reaction", "button" } do
          assert.equal(200, (message { type = kind, [kind] = value }))
        end
        for _, body in ipairs { { entry = value }, { entry = { value } }, { entry = { { changes = value } } },
          { entry = { { changes = { value } } } },
          value_of { messages = value, contacts = value, statuses = value } } do
          assert.equal(200, (push(body)))
        end
      end
    end)
  end)

  describe("statuses", function()
    local function status(s) return push(value_of { statuses = { s } }) end

    it("are receipts", function()
      assert.equal(200, (status { id = "wamid.Y", status = "sent" }))
      assert.equal(200, (status { id = "wamid.Y", status = "delivered" }))
      assert.equal(200, (status { id = "wamid.Y", status = "read" }))
      assert.same({ { sent = "wamid.Y", status = "delivered" }, { sent = "wamid.Y", status = "read" } }, receipts)
    end)

    it("say why a message did not arrive", function()
      status { id = "wamid.Y", status = "failed", errors = { { code = 131047, title = "Re-engagement message" } } }
      assert.equal("failed", receipts[1].status)
      assert.contains("24", receipts[1].why)
      assert.contains("131047", receipts[1].why)
      status { id = "wamid.Y", status = "failed" }
      assert.equal("failed", receipts[2].status)
    end)

    it("of messages that others sent are none of ours", function()
      assert.equal(200, (status { id = "wamid.other", status = "read" }))
      ctx.receipt = function() return nil, "unavailable", "full" end
      assert.equal(503, (status { id = "wamid.Y", status = "read" }))
    end)
  end)
end)
