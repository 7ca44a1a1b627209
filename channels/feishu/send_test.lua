-- yuelai test channels/feishu
local t, kit = require "test", require "tests.desk"
local json, secret = require "json", require "secret"

local API = "https://open.feishu.cn"
local TOKEN_URL = "POST " .. API .. "/open-apis/auth/v3/tenant_access_token/internal"
local SEND_URL = "POST " .. API .. "/open-apis/im/v1/messages*"

describe("channel feishu, out", { only = "none" }, function()
  local adapter, ctx
  before_each(function()
    local desk = kit.of({ type = "feishu", name = "bot" },
      { app_id = "cli_x", app_secret = secret.hide "app-secret", verification_token = secret.hide "v" })
    adapter, ctx = desk.adapter, desk.ctx
  end)

  describe("answers", function()
    local item
    before_each(function()
      item = { id = "ob_1", to = "ou_1", kind = "text", text = "您好", attempt = 1 }
      t.http.on(TOKEN_URL, { json = { code = 0, tenant_access_token = "t-1", expire = 7200 }, times = 1 })
    end)

    local function sends(answer, more)
      local reply = { json = answer or { code = 0, data = { message_id = "om_9" } }, times = 1 }
      for name, value in pairs(more or {}) do reply[name] = value end
      t.http.on(SEND_URL, reply)
      return adapter.send(item, ctx)
    end
    local function sent(i)
      local list = {}
      for _, c in ipairs(t.http.calls()) do
        if c.path:find "im/v1/messages" then list[#list + 1] = c end
      end
      return i and list[i] or list
    end

    it("are sent with a token that is fetched once, and an id of ours", function()
      assert.same({ sent = "om_9" }, sends())
      assert.same({ sent = "om_9" }, sends())
      assert.equal(3, #t.http.calls())
      assert.same({ app_id = "cli_x", app_secret = "app-secret" }, t.http.calls()[1].json)
      assert.equal("Bearer t-1", sent(1).headers.authorization)
      assert.equal("open_id", sent(1).query.receive_id_type)
      assert.same({ receive_id = "ou_1", msg_type = "text", content = '{"text":"您好"}', uuid = "ob_1" }, sent(1).json)
    end)

    it("to a group go there and name who asked", function()
      item.to = "ou_1@oc_1"
      sends()
      assert.equal("chat_id", sent(1).query.receive_id_type)
      assert.equal("oc_1", sent(1).json.receive_id)
      assert.same({ text = '<at user_id="ou_1"></at> 您好' }, json.decode(sent(1).json.content))
    end)

    it("fetch a new token once when theirs is stale", function()
      t.http.on(TOKEN_URL, { json = { code = 0, tenant_access_token = "t-2", expire = 7200 } })
      t.http.on(SEND_URL, { status = 400, json = { code = 99991663, msg = "invalid" }, times = 1 })
      assert.same({ sent = "om_9" }, sends())
      assert.equal("Bearer t-2", sent(2).headers.authorization)
      t.http.on(SEND_URL, { status = 400, json = { code = 99991661, msg = "invalid" }, times = 2 })
      assert.equal(60, adapter.send(item, ctx).retry)
      assert.equal(4, #sent())
    end)

    it("wait as long as Feishu says", function()
      local more = { status = 400, headers = { ["x-ogw-ratelimit-reset"] = "17" } }
      local got = sends({ code = 99991400, msg = "x" }, more)
      assert.equal(17, got.retry)
      assert.equal(5, sends({ code = 11232 }, { status = 429 }).retry)
    end)

    it("fail with a reason, or come again, by error code", function()
      local cases = {
        [230002] = "no_recipient", [230013] = "no_recipient", [230028] = "content_refused", [230006] = "config",
        [99991672] = "not_allowed", [230001] = "refused", [230020] = 5,
      }
      for code, expected in pairs(cases) do
        local got = sends({ code = code, msg = "their words" }, { status = 400 })
        assert.equal(expected, got.failed or got.retry, "code " .. code)
        assert.contains("their words", got.why)
      end
      t.http.on(SEND_URL, { fails = "timeout", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
      t.http.on(SEND_URL, { status = 502, body = "<html>", times = 1 })
      assert.equal(5, adapter.send(item, ctx).retry)
    end)

    it("are dead at once while the settings are wrong, and wait while Feishu is down", function()
      ctx.config.app_id = "cli_y"
      t.http.on(TOKEN_URL, { fails = "timeout", times = 1 })
      t.http.on(TOKEN_URL, { json = { code = 10014, msg = "app secret invalid" } })
      sends() -- the token of before_each
      ctx.config.app_id = "cli_z"
      assert.equal(5, adapter.send(item, ctx).retry)
      assert.equal("config", adapter.send(item, ctx).failed)
      ctx.config.app_secret = nil
      assert.equal("config", adapter.send(item, ctx).failed)
      item.kind = "image"
      assert.equal("unsupported", adapter.send(item, ctx).failed)
    end)
  end)

  it("check says in words what is wrong", function()
    local function says(config, answer)
      if answer then t.http.on(TOKEN_URL, { json = answer, times = 1 }) end
      local ok, code, why = adapter.check(config, ctx)
      return ok == true and "ok" or code, why
    end
    assert.equal("ok", (says(ctx.config, { code = 0, tenant_access_token = "t" })))
    local code, why = says(ctx.config, { code = 10014, msg = "app secret invalid" })
    assert.equal("refused", code)
    assert.contains("App Secret", why)
    assert.equal("app_id", (says { app_id = "x" }))
    assert.equal("encrypt_key", (says { app_id = "cli_x" }))
    assert.equal("app_secret", (says { app_id = "cli_x", encrypt_key = "k" }))
    t.http.on(TOKEN_URL, { fails = "unavailable" })
    assert.equal("unavailable", (says(ctx.config)))
  end)
end)
