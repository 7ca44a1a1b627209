-- yuelai test channels/dingtalk
local t, kit, robot = require "test", require "tests.desk", require "tests.robot"
local json, secret = require "json", require "secret"

local API = "https://api.dingtalk.com/v1.0/"
local TOKEN_URL = "POST " .. API .. "oauth2/accessToken"
local SINGLE_URL = "POST " .. API .. "robot/oToMessages/batchSend"
local GROUP_URL = "POST " .. API .. "robot/groupMessages/send"
local SESSION, signed, message = robot.SESSION, robot.signed, robot.message

describe("channel dingtalk, out", { only = "none" }, function()
  local desk, adapter, ctx, delivered
  before_each(function()
    t.at "2025-01-01 11:00 +08:00"
    desk = kit.of({ type = "dingtalk", name = "bot" },
      { app_key = "dingKEY", app_secret = secret.hide "test_app_secret" })
    adapter, ctx, delivered = desk.adapter, desk.ctx, desk.delivered
  end)

  local function call(body, headers, query)
    local req = { method = "POST", path = "", query = query or {}, headers = headers or {}, body = body }
    return adapter.receive(req, ctx)
  end
  local function says(fields)
    delivered = desk:anew()
    assert.equal(200, (call(message(fields), signed())))
    return delivered[1]
  end

  describe("answers", function()
    local item
    before_each(function() item = { id = "ob_1", to = "u1", kind = "text", text = "您好", attempt = 1 } end)

    local function answers(answer) t.http.on("POST " .. SESSION, { json = answer, times = 1 }) end
    local calls_of = kit.calls_of
    local function has_token(name)
      t.http.on(TOKEN_URL, { json = { accessToken = name or "T1", expireIn = 7200 }, times = 1 })
    end

    it("go by a session's webhook at the address of the settings, and no other", function()
      ctx.config.api = "http://127.0.0.1:9/"
      says { sessionWebhook = "http://127.0.0.1:9/robot/sendBySession?session=S2" }
      t.http.on("POST http://127.0.0.1:9/robot/sendBySession?session=S2", { json = { errcode = 0 }, times = 1 })
      assert.same({ sent = "ob_1" }, adapter.send(item, ctx))
      ctx.config.api = "http://127.0.0.1:9"
      says { senderStaffId = "u2", sessionWebhook = "http://127.0.0.1:99/robot/sendBySession?session=S2" }
      item.to = "u2"
      t.http.on("POST http://127.0.0.1:9/v1.0/oauth2/accessToken", { json = { accessToken = "T1", expireIn = 7200 } })
      t.http.on("POST http://127.0.0.1:9/v1.0/robot/oToMessages/batchSend", { json = { processQueryKey = "q" } })
      assert.same({ sent = "q" }, adapter.send(item, ctx))
    end)

    it("go by the session's webhook while it lives", function()
      says()
      answers { errcode = 0, errmsg = "ok" }
      assert.same({ sent = "ob_1" }, adapter.send(item, ctx))
      assert.same({ msgtype = "text", text = { content = "您好" } }, t.http.calls()[1].json)
      assert.equal("S1", t.http.calls()[1].query.session)
    end)

    it("in a group name who asked", function()
      says { conversationType = "2" }
      item.to = "u1@cid"
      answers { errcode = 0 }
      assert.same({ sent = "ob_1" }, adapter.send(item, ctx))
      assert.same({ atUserIds = { "u1" } }, t.http.calls()[1].json.at)
    end)

    it("go by the robot when the session is over, with a token that is fetched once", function()
      says()
      t.advance "90m"
      has_token()
      t.http.on(SINGLE_URL, { json = { processQueryKey = "q1", invalidStaffIdList = json.array {} } })
      assert.same({ sent = "q1" }, adapter.send(item, ctx))
      assert.same({ sent = "q1" }, adapter.send(item, ctx))
      assert.equal(3, #t.http.calls())
      assert.same({ appKey = "dingKEY", appSecret = "test_app_secret" }, t.http.calls()[1].json)
      local sent = calls_of("batchSend")[1]
      assert.equal("T1", sent.headers["x-acs-dingtalk-access-token"])
      local param = '{"content":"您好"}'
      assert.same({ robotCode = "dingKEY", userIds = { "u1" }, msgKey = "sampleText", msgParam = param }, sent.json)
      item.to, ctx.config.robot_code = "u1@cid", "dingROBOT"
      t.http.on(GROUP_URL, { json = { processQueryKey = "q2" } })
      assert.same({ sent = "q2" }, adapter.send(item, ctx))
      assert.equal("cid", calls_of("groupMessages")[1].json.openConversationId)
      assert.equal("dingROBOT", calls_of("groupMessages")[1].json.robotCode)
    end)

    it("go by the robot when the session's webhook does not work, and are never posted elsewhere", function()
      says()
      answers { errcode = 400101, errmsg = "session expired" }
      has_token()
      t.http.on(SINGLE_URL, { json = { processQueryKey = "q1" } })
      assert.same({ sent = "q1" }, adapter.send(item, ctx))
      for _, url in ipairs { "http://oapi.dingtalk.com/x", "https://evil.example.com/x",
        "https://evil.com/.dingtalk.com/", "https://dingtalk.com.evil.com/", "https://a@b.dingtalk.com/" } do
        says { senderStaffId = "u2", sessionWebhook = url }
        assert.same({ sent = "q1" }, adapter.send({ id = "ob_2", to = "u2", kind = "text", text = "Hi" }, ctx), url)
      end
    end)

    it("fetch a new token once when theirs is stale", function()
      has_token "T1"
      has_token "T2"
      local stale = { status = 401, json = { code = "InvalidAuthentication", message = "x" }, times = 1 }
      t.http.on(SINGLE_URL, stale)
      t.http.on(SINGLE_URL, { json = { processQueryKey = "q1" }, times = 1 })
      assert.same({ sent = "q1" }, adapter.send(item, ctx))
      assert.equal("T2", calls_of("batchSend")[2].headers["x-acs-dingtalk-access-token"])
      has_token "T3"
      stale.times = 2
      t.http.on(SINGLE_URL, stale)
      assert.equal(60, adapter.send(item, ctx).retry)
      assert.equal(4, #calls_of "batchSend")
    end)

    it("fail with a reason, or come again", function()
      has_token()
      local cases = {
        { 60, 429, { code = "x", message = "m" } }, { 60, 400, { code = "Throttling.User", message = "m" } },
        { 60, 403, { code = "Forbidden.AccessDenied.QpsLimitForApi", message = "m" } }, { 5, 500, { code = "x" } },
        { "not_allowed", 403, { code = "Forbidden.AccessDenied.AccessTokenPermissionDenied", message = "m" } },
        { "config", 400, { code = "invalidParameter.robotCode.auth", message = "m" } },
        { "refused", 400, { code = "invalidParameter.msgParam.invalid", message = "m" } },
        { "no_recipient", 200, { processQueryKey = "q", invalidStaffIdList = { "u1" } } },
        { 60, 200, { processQueryKey = "q", flowControlledStaffIdList = { "u1" } } },
      }
      for i, case in ipairs(cases) do
        t.http.on(SINGLE_URL, { status = case[2], json = case[3], times = 1 })
        local got = adapter.send(item, ctx)
        assert.equal(case[1], got.failed or got.retry, "case " .. i)
        assert.is_not_nil(got.why)
      end
      t.http.on(SINGLE_URL, { fails = "timeout", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
      says()
      for code, expected in pairs { [130101] = 60, [-1] = 60, [310000] = "refused" } do
        answers { errcode = code, errmsg = "x" }
        local got = adapter.send(item, ctx)
        assert.equal(expected, got.failed or got.retry, "code " .. code)
      end
      t.http.on("POST " .. SESSION, { fails = "timeout", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
    end)

    it("go in pieces", function()
      says()
      t.http.on("POST " .. SESSION, { json = { errcode = 0 } })
      item.text = ("退款"):rep(1500)
      assert.same({ sent = "ob_1" }, adapter.send(item, ctx))
      assert.equal(2, #t.http.calls())
      ctx.config.app_secret = nil
      assert.equal("config", adapter.send(item, ctx).failed)
    end)
  end)

  it("check says in words what is wrong", function()
    local function found(config, answer)
      if answer then t.http.on(TOKEN_URL, answer) end
      local ok, code, why = adapter.check(config, ctx)
      return ok == true and "ok" or code, why
    end
    assert.equal("ok", (found(ctx.config, { json = { accessToken = "T", expireIn = 7200 }, times = 1 })))
    local wrong = { code = "invalidClientIdOrSecret", message = "无效的clientId或者clientSecret" }
    local code, why = found(ctx.config, { status = 400, json = wrong, times = 2 })
    assert.equal("refused", code)
    assert.contains("Client ID", why)
    assert.equal("config", adapter.send({ id = "1", to = "u1", kind = "text", text = "Hi" }, ctx).failed)
    assert.equal("app_key", (found {}))
    assert.equal("app_secret", (found { app_key = "k" }))
    assert.equal("encoding_aes_key", (found { app_key = "k", app_secret = "s", encoding_aes_key = "short" }))
    assert.equal("unavailable", (found(ctx.config, { fails = "unavailable" })))
  end)
end)
