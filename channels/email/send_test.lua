-- yuelai test channels/email: what goes out, settings, the way in.
local t, kit = require "test", require "tests.desk"
local secret, mime, kv, crypto = require "secret", require "mime", require "kv", require "crypto"

local OUT, BOX = "SMTP smtps://smtp.shop.test:465", "LOOK imaps://imap.shop.test:993"

describe("channel email, out", { only = "none" }, function()
  local adapter, ctx
  before_each(function()
    local desk = kit.of({ type = "email", name = "Mail" },
      { address = "help@shop.test", name = "小店", password = secret.hide "secret",
      imap_host = "imap.shop.test", smtp_host = "smtp.shop.test" })
    adapter, ctx = desk.adapter, desk.ctx
  end)

  local function item(text, more)
    local x = { id = "d_1", to = "anna@customer.test", kind = "text", text = text, conversation = "cv_1", attempt = 1,
      sender = { role = "agent", name = "Bo" } }
    for name, value in pairs(more or {}) do x[name] = value end
    return x
  end
  local function last()
    local calls = t.http.calls()
    local call = calls[#calls].json
    return mime.parse(call.bytes), call
  end

  it("writes an answer into the customer's thread", function()
    kv.set("in:ch_1:" .. crypto.sha256("anna@customer.test"):sub(1, 32),
      { id = "1@customer.test", references = { "0@customer.test" }, subject = "订单问题", name = "Anna" })
    t.http.on(OUT, { status = 250 })
    local got = adapter.send(item "您好 <b> https://shop.test/a?b=1&c=2。\n第二行", ctx)
    local mail, call = last()
    assert.equal("help@shop.test", call.from)
    assert.same({ "anna@customer.test" }, call.to)
    assert.is_true(call.has_password)
    assert.equal("Re: 订单问题", mail.subject)
    assert.equal("1@customer.test", mail.in_reply_to)
    assert.same({ "0@customer.test", "1@customer.test" }, mail.references)
    assert.same({ address = "help@shop.test", name = "小店" }, mail.from)
    assert.contains("您好 <b> https://shop.test/a?b=1&c=2。", mail.text)
    assert.contains("&lt;b&gt;", mail.html)
    assert.contains('<a href="https://shop.test/a?b=1&amp;c=2', mail.html)
    assert.is_nil(mail.headers["auto-submitted"])
    assert.equal(mail.message_id, got.sent)
    assert.matches("@shop%.test$", got.sent)
    assert.is_true(kv.get("sent:ch_1:" .. crypto.sha256(got.sent):sub(1, 32)).to == "anna@customer.test")
  end)

  it("gives a mail the same id at each try, and others another one", function()
    t.http.on(OUT, { status = 250 })
    local one = adapter.send(item "a", ctx).sent
    assert.equal(one, adapter.send(item("a", { attempt = 2 }), ctx).sent)
    assert.is_true(one ~= adapter.send(item("a", { id = "d_2" }), ctx).sent)
  end)

  it("marks what bots write, and stops a loop of them", function()
    t.http.on(OUT, { status = 250 })
    local bot = { sender = { role = "bot" } }
    adapter.send(item("auto", bot), ctx)
    local mail = last()
    assert.equal("auto-replied", mail.headers["auto-submitted"])
    assert.equal("All", mail.headers["x-auto-response-suppress"])
    assert.equal("ch_1", mail.headers["x-yuelai-channel"])
    kv.incr("bot:ch_1:" .. crypto.sha256("anna@customer.test"):sub(1, 32), 30, "1h")
    assert.equal("rate_limited", adapter.send(item("auto", bot), ctx).failed)
    assert.is_true(adapter.send(item "a person", ctx).sent ~= nil)
  end)

  it("adds the signature, a subject where there is none, and answers to Reply-To", function()
    ctx.config.signature = "小店客服\\nTel 1"
    kv.set("in:ch_1:" .. crypto.sha256("anna@customer.test"):sub(1, 32), { references = {}, subject = "",
      reply = "desk@customer.test" })
    t.http.on(OUT, { status = 250 })
    adapter.send(item "hi", ctx)
    local mail, call = last()
    assert.same({ "desk@customer.test" }, call.to)
    assert.contains("hi\n\n-- \n小店客服\nTel 1", (mail.text:gsub("\r", "")))
    assert.contains("小店", mail.subject)
    assert.is_nil(mail.in_reply_to)
  end)

  it("tells what becomes of a mail by the server's words", function()
    local cases = { { { status = 451, text = "4.3.0 later" }, "retry", 60 }, { { status = 421 }, "retry", 120 },
      { { status = 550, text = "5.1.1 no such user" }, "failed", "no_recipient" },
      { { status = 552, text = "5.2.3 too big" }, "failed", "too_large" },
      { { status = 550, text = "5.7.1 spam" }, "failed", "refused" },
      { { status = 554, text = "5.2.2 full" }, "failed", "mailbox_full" },
      { { fails = "unauthorized" }, "retry", 300 }, { { fails = "unavailable" }, "retry", 10 },
      { { fails = "bad_request" }, "failed", "bad_address" } }
    for i, case in ipairs(cases) do
      case[1].times = 1
      t.http.on(OUT, case[1])
      assert.equal(case[3], adapter.send(item("x", { id = "d_" .. i }), ctx)[case[2]], "case " .. i)
    end
    assert.equal("bad_address", adapter.send(item("x", { to = "no address" }), ctx).failed)
    assert.equal("unsupported", adapter.send(item(nil, { kind = "audio" }), ctx).failed)
  end)

  it("sends a file as an attachment, with its name", function()
    t.http.on(OUT, { status = 250 })
    ctx.file_body = function(file)
      if file.id == "fi_1" then return "%PDF-1.4" end
      return nil, file.id == "fi_2" and "too_large" or "unavailable", "why"
    end
    local function send(id)
      return adapter.send(item(nil, { kind = "file", id = id, file = { id = id, name = "报价单.pdf", mime = "application/pdf",
        size = 8 } }), ctx)
    end
    assert.is_true(send("fi_1").sent ~= nil)
    local mail = last()
    assert.equal("报价单.pdf", mail.attachments[1].name)
    assert.equal("application/pdf", mail.attachments[1].type)
    assert.equal("%PDF-1.4", mail.attachments[1].bytes)
    assert.contains("报价单.pdf", mail.text)
    assert.equal("too_large", send("fi_2").failed)
    assert.equal(10, send("fi_3").retry)
  end)

  it("finds the servers of well-known providers, and ports decide on TLS", function()
    local cases = { { "a@qq.com", {}, "imaps://imap.qq.com:993", "smtps://smtp.qq.com:465" },
      { "a@outlook.com", {}, "imaps://outlook.office365.com:993", "smtp://smtp-mail.outlook.com:587" },
      { "a@own.test", { imap_host = "i", smtp_host = "s", encryption = "starttls" }, "imap://i:143", "smtp://s:587" },
      { "a@own.test", { imap_host = "i", smtp_host = "s", smtp_port = 587 }, "imaps://i:993", "smtp://s:587" } }
    for _, case in ipairs(cases) do
      ctx.config = case[2]
      ctx.config.address, ctx.config.password = case[1], secret.hide "x"
      t.http.on("LOOK " .. case[3], {})
      t.http.on("SMTP " .. case[4], { status = 250 })
      assert.is_true((adapter.check(ctx.config, ctx)))
    end
    ctx.config = { address = "a@own.test", password = secret.hide "x" }
    assert.equal("imap_host", select(2, adapter.check(ctx.config, ctx)))
    ctx.config = { address = "a@qq.com" }
    assert.equal("password", select(2, adapter.check(ctx.config, ctx)))
  end)

  it("says in words what is wrong with the settings", function()
    t.http.on(BOX, { fails = "unauthorized", detail = "no", times = 1 })
    local ok, code, why = adapter.check(ctx.config, ctx)
    assert.is_nil(ok)
    assert.equal("unauthorized", code)
    assert.contains("授权码", why)
    t.http.on(BOX, {})
    t.http.on(OUT, { fails = "timeout", times = 1 })
    assert.contains("SMTP", (select(3, adapter.check(ctx.config, ctx))))
  end)

  it("logs in by OAuth2 with one access token, and fetches another when it is refused", function()
    ctx.config.password = nil
    ctx.config.oauth_token_url, ctx.config.oauth_client_id = "https://id.test/token", "me"
    ctx.config.oauth_refresh_token = secret.hide "r1"
    t.http.on("POST https://id.test/token", { json = { access_token = "t1", expires_in = 3600 } })
    t.http.on(OUT, { status = 250, times = 2 })
    adapter.send(item "a", ctx)
    assert.is_true(select(2, last()).has_token)
    assert.equal("grant_type=refresh_token", t.http.calls()[1].body:match "grant_type=refresh_token")
    adapter.send(item "b", ctx)
    assert.equal(3, #t.http.calls())
    t.http.on(OUT, { fails = "unauthorized", times = 1 })
    assert.equal(300, adapter.send(item "c", ctx).retry)
  end)

  it("says so when the consent is over", function()
    ctx.config.password = nil
    ctx.config.oauth_token_url, ctx.config.oauth_refresh_token = "https://id.test/token", secret.hide "r1"
    t.http.on("POST https://id.test/token", { status = 400, json = { error = "invalid_grant" } })
    assert.contains("invalid_grant", adapter.send(item "a", ctx).why)
  end)
end)
