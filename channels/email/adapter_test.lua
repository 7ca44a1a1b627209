-- yuelai test channels/email: what comes in.
local t = require "test"
local secret, crypto, kv = require "secret", require "crypto", require "kv"

local BOX = "imaps://imap.shop.test:993"

describe("channel email", { only = "none" }, function()
  local adapter, ctx, delivered, receipts, uid
  before_each(function()
    adapter = t.load "channels/email"
    delivered, receipts, uid = {}, {}, 40
    ctx = {
      channel = { id = "ch_1", type = "email", name = "Mail" },
      config = { address = "help@shop.test", password = secret.hide "secret", imap_host = "imap.shop.test",
        smtp_host = "smtp.shop.test" },
      deliver = function(message)
        delivered[#delivered + 1] = message
        return { id = "m_1", conversation = "cv_1", seq = 1, duplicate = false }
      end,
      file = function(given)
        if given.name == "bad.exe" then return nil, "unsupported", "no" end
        if given.name == "later.pdf" then return nil, "unavailable", "full" end
        return { id = "fi_" .. given.name, name = given.name, mime = given.mime, size = #given.body }
      end,
      receipt = function(receipt)
        receipts[#receipts + 1] = receipt
        if receipt.sent == "ours.1@shop.test" then return true end
        return nil, "not_found"
      end,
    }
    kv.set("box:ch_1", { validity = 7, uid = 40 })
  end)

  local function mail(fields, body)
    local lines = {}
    fields.From = fields.From or "Anna Li <Anna@Customer.test>"
    fields.To = fields.To or "help@shop.test"
    fields["Message-ID"] = fields["Message-ID"] or "<1@customer.test>"
    for name, value in pairs(fields) do lines[#lines + 1] = name .. ": " .. value end
    return table.concat(lines, "\r\n") .. "\r\n\r\n" .. (body or "hello")
  end
  local function poll(list, more)
    local mails = {}
    for i, bytes in ipairs(list) do
      uid = uid + 1
      mails[i] = { uid = uid, base64 = crypto.base64_encode(bytes) }
    end
    t.http.on("LOOK " .. BOX, { validity = 7, next = uid + 1, mails = mails, more = more, times = 1 })
    return adapter.poll(ctx)
  end
  local function text_of(fields, body)
    delivered = {}
    poll { mail(fields, body) }
    return delivered[1] and delivered[1].text
  end

  it("begins with the mails that come from now on, and keeps its cursor", function()
    kv.set("box:ch_1", nil)
    t.http.on("LOOK " .. BOX, { validity = 9, next = 100 })
    assert.equal(0.2, adapter.poll(ctx).again)
    assert.same({ validity = 9, uid = 99 }, kv.get "box:ch_1")
    local call = t.http.calls()[1].json
    assert.equal(0, call.most)
    assert.equal("help@shop.test", call.user)
    assert.is_true(call.has_password)
  end)

  it("hands over a mail as its sender's message, once", function()
    local first = mail { Subject = "=?GB18030?B?tqm1pc7KzOI=?=" }
    assert.equal(0.2, poll({ first }).again)
    assert.equal(1, #delivered)
    assert.equal("anna@customer.test", delivered[1].from)
    assert.equal("Anna Li", delivered[1].name)
    assert.equal("【订单问题】\nhello", delivered[1].text)
    assert.same({ validity = 7, uid = 41 }, kv.get "box:ch_1")
    poll { first }
    assert.equal(1, #delivered)
  end)

  it("goes on after what the house could not take, and takes it again", function()
    local take = ctx.deliver
    ctx.deliver = function() return nil, "unavailable", "full" end
    assert.equal(5, poll({ mail { ["Message-ID"] = "<a@x>" } }).again)
    assert.equal(40, kv.get("box:ch_1").uid)
    ctx.deliver = take
    poll { mail { ["Message-ID"] = "<a@x>" } }
    assert.equal(1, #delivered)
    assert.equal(42, kv.get("box:ch_1").uid)
  end)

  it("looks through the last days when the mailbox was made anew", function()
    t.http.on("LOOK " .. BOX, { validity = 8, next = 3, times = 2 })
    adapter.poll(ctx)
    local state = kv.get "box:ch_1"
    assert.equal(8, state.validity)
    assert.equal(0, state.uid)
    assert.is_true(state.since > 0)
  end)

  it("waits longer when it is refused, less when nobody is there", function()
    t.http.on("LOOK " .. BOX, { fails = "unauthorized", times = 1 })
    assert.equal(300, adapter.poll(ctx).again)
    t.http.on("LOOK " .. BOX, { fails = "unavailable", times = 1 })
    assert.equal(10, adapter.poll(ctx).again)
    assert.equal(40, kv.get("box:ch_1").uid)
  end)

  it("reads the encodings of heads and bodies", function()
    local cases = {
      { "=?GB18030?B?xOO6ww==?=", "你好" }, { "=?gb2312?B?1tC5+g==?=", "中国" },
      { "=?UTF-8?B?5L2g5aW9?= =?UTF-8?Q?=E4=B8=96=E7=95=8C?=", "你好世界" },
      { "=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab" }, { "=?GB18030?B?UmU6ILaptaXOyszi?=", "订单问题" },
      { "\196\227\186\195", "你好" }, { "回复：答复: Re: Fwd: 问题", "问题" },
    }
    for i, case in ipairs(cases) do
      local id = "<h" .. i .. "@x>"
      assert.equal("【" .. case[2] .. "】\nhello", (text_of { Subject = case[1], ["Message-ID"] = id,
        From = "p" .. i .. "@customer.test" }), case[1])
    end
    local function body(headers, bytes, id)
      headers["Message-ID"] = "<b" .. id .. "@x>"
      return text_of(headers, bytes)
    end
    assert.equal("我还是出错了", (body({ ["Content-Type"] = "text/plain; charset=gb18030",
      ["Content-Transfer-Encoding"] = "base64" }, "ztK7ucrHs/a07cHL", 1)))
    assert.equal("你好= end", (body({ ["Content-Type"] = "text/plain; charset=utf-8",
      ["Content-Transfer-Encoding"] = "quoted-printable" }, "=E4=BD=A0=E5=\r\n=A5=BD=3D=20end", 2)))
    assert.equal("€ 😀 㐀", (body({ ["Content-Type"] = "text/plain; charset=gb2312" },
      "\162\227 \148\57\252\54 \129\57\238\57", 3)))
    assert.equal("bold & plain", (body({ ["Content-Type"] = "text/html" }, "<p><b>bold</b> &amp; plain</p>", 4)))
  end)

  it("names what is attached, whatever way its name is written", function()
    local names = { "filename*=UTF-8''%E6%8A%A5%E4%BB%B7%E5%8D%95.pdf",
      "filename*0*=gb18030''%B1%A8%BC%DB; filename*1*=%B5%A5; filename*2=\".pdf\"",
      "filename=\"=?GBK?B?sai827WlLnBkZg==?=\"" }
    for i, name in ipairs(names) do
      local text = text_of({ ["Content-Type"] = "multipart/mixed; boundary=b", ["Message-ID"] = "<f" .. i .. "@x>" },
        "--b\r\n\r\nsee\r\n--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; " .. name
        .. "\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n--b--\r\n")
      assert.equal("see", text)
      assert.equal(2, #delivered)
      assert.equal("file", delivered[2].kind)
      assert.same({ id = "fi_报价单.pdf", name = "报价单.pdf", mime = "application/pdf", size = 9 }, delivered[2].file)
      assert.equal(delivered[1].dedupe .. ":1", delivered[2].dedupe)
    end
  end)

  it("names the files that the house does not take, and comes again for those it cannot take now", function()
    local function with(name, more)
      local body = "--b\r\nContent-Type: image/png; name=" .. name .. "\r\n\r\nPNG\r\n--b--\r\n"
      return mail({ ["Content-Type"] = "multipart/mixed; boundary=b", ["Message-ID"] = "<" .. name .. "@x>" },
        (more or "") .. body)
    end
    poll { with "bad.exe" }
    assert.equal("[图片] bad.exe (3 B)", delivered[1].text)
    assert.equal(1, #delivered)
    assert.equal(5, poll({ with("later.pdf", "--b\r\n\r\nwords\r\n") }).again)
    assert.equal(1, #delivered)
    poll { with "a.png" }
    assert.equal(2, #delivered)
    assert.equal("image", delivered[2].kind)
  end)

  it("takes broken mails for what they are worth", function()
    local broken = { "", "no head at all", "\r\n\r\n", ("--b\r\n"):rep(2000), "From: \r\n\r\n",
      "From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n--b",
      "From: a@b\r\nContent-Type: multipart/mixed\r\n\r\n--x\r\n\r\nhi",
      "From: a@b\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!=", ("a"):rep(100000),
      "From: a@b\r\nSubject: =?x-none?B?????=\r\n\r\nok", "From: <<>>@@,,\"\r\n\r\nx", "\0\0\0\255\254" }
    for i, bytes in ipairs(broken) do
      assert.is_true(poll({ bytes }).again > 0, "broken " .. i)
      assert.equal(uid, kv.get("box:ch_1").uid)
    end
  end)

  it("survives a mail that is cut anywhere", function()
    local whole = mail({ ["Content-Type"] = "multipart/mixed; boundary=b" }, "--b\r\n\r\nx\r\n--b--\r\n")
    for n = 10, #whole, 16 do poll { whole:sub(1, n) } end
    assert.equal(uid, kv.get("box:ch_1").uid)
  end)

  it("only names a mail that has ended the handler again and again", function()
    kv.incr("try:ch_1:41", 3, "1d")
    poll { mail({ Subject = "poison" }, "what kills") }
    assert.equal("【poison】", delivered[1].text)
    assert.equal(41, kv.get("box:ch_1").uid)
  end)

  it("says so when a mail was too large to be fetched", function()
    t.http.on("LOOK " .. BOX, { validity = 7, mails = { { uid = 41, size = 9000000, bytes = mail {} } } })
    adapter.poll(ctx)
    assert.matches("8.6 MB", delivered[1].text)
  end)

  it("passes over answers of machines and lists, and its own mails", function()
    for i, fields in ipairs {
      { ["Auto-Submitted"] = "auto-replied" }, { ["Auto-Submitted"] = "auto-generated; x" }, { Precedence = "bulk" },
      { ["X-Auto-Response-Suppress"] = "OOF, AutoReply" }, { ["List-Id"] = "<l.x>" }, { ["List-Unsubscribe"] = "<x>" },
      { ["Return-Path"] = "<>" }, { Subject = "自动回复: 休假" }, { Subject = "Automatic reply: away" },
      { From = "HELP@shop.test" }, { ["X-Yuelai-Channel"] = "ch_1" },
    } do
      fields["Message-ID"] = "<auto" .. i .. "@x>"
      assert.is_nil(text_of(fields), "case " .. i)
    end
    assert.equal("hello", (text_of { ["Auto-Submitted"] = "no", ["Message-ID"] = "<no@x>" }))
    ctx.config.automatic = "take"
    assert.equal("hello", (text_of { ["Auto-Submitted"] = "auto-replied", ["Message-ID"] = "<take@x>" }))
    assert.is_nil(text_of { From = "help@shop.test", ["Message-ID"] = "<own@x>" })
  end)

  it("takes no more than so many mails of one sender in an hour", function()
    kv.incr("rate:ch_1:" .. crypto.sha256("anna@customer.test"):sub(1, 32), 60, "1h")
    assert.is_nil(text_of { ["Message-ID"] = "<one-more@x>" })
    assert.equal("hello", (text_of { ["Message-ID"] = "<other@x>", From = "bob@customer.test" }))
    t.advance "61m"
    assert.equal("hello", (text_of { ["Message-ID"] = "<later@x>" }))
  end)

  it("tells what bounced, by the mail inside of the report", function()
    local body = "--r\r\n\r\nIt did not arrive.\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\n"
      .. "Reporting-MTA: dns; mail.x\r\n\r\nFinal-Recipient: rfc822; zhang@example.com\r\nAction: %s\r\n"
      .. "Status: 5.1.1\r\nDiagnostic-Code: smtp; 550 no such\r\n user\r\n--r\r\nContent-Type: message/rfc822\r\n\r\n"
      .. "Message-ID: <ours.1@shop.test>\r\nSubject: x\r\n\r\nbody\r\n--r--\r\n"
    local fields = { From = "Mail Delivery <MAILER-DAEMON@x>", ["Message-ID"] = "<d1@x>",
      ["Content-Type"] = "multipart/report; report-type=delivery-status; boundary=r" }
    assert.is_nil(text_of(fields, body:format "failed"))
    assert.same({ { sent = "ours.1@shop.test", status = "failed", why = "smtp; 550 no such user" } }, receipts)
    receipts, fields["Message-ID"] = {}, "<d2@x>"
    assert.is_nil(text_of(fields, body:format "delayed"))
    assert.same({}, receipts)
    assert.is_nil(text_of({ From = "postmaster@163.com", Subject = "系统退信", ["Message-ID"] = "<d3@x>",
      ["Content-Type"] = "text/html" }, "<p>&lt;ours.1@shop.test&gt; 无法投递</p>"))
    assert.equal(1, #receipts)
  end)

  it("keeps a thread with whom it was written to, whoever answers", function()
    kv.set("sent:ch_1:" .. crypto.sha256("ours.9@shop.test"):sub(1, 32), { to = "anna@customer.test" })
    assert.matches("^（boss@customer.test 来信", (text_of { From = "boss@customer.test", ["Message-ID"] = "<t1@x>",
      References = "<x@y> <ours.9@shop.test>" }))
    assert.equal("anna@customer.test", delivered[1].from)
    text_of { From = "boss@customer.test", ["Message-ID"] = "<t2@x>", References = "<not.ours@shop.test>" }
    assert.equal("boss@customer.test", delivered[1].from)
  end)
end)
