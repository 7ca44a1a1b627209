-- yuelai test channels/wecom
local kit = require "tests.desk"
local secret = require "secret"

local KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"

describe("channel wecom", { only = "none" }, function()
  local adapter, ctx
  before_each(function()
    local desk = kit.of({ type = "wecom", name = "kf" },
      { corpid = "wx5823bf96d3bd56c7", secret = secret.hide "app-secret", token = secret.hide "QDG6eK",
      encoding_aes_key = secret.hide(KEY) })
    adapter, ctx = desk.adapter, desk.ctx
  end)

  local function call(method, query, body)
    return adapter.receive({ method = method, path = "", query = query, headers = {}, body = body or "" }, ctx)
  end

  describe("the address", function()
    local function verifies(token, key, corpid, ts, nonce, echo, signature, expected)
      ctx.config = { corpid = corpid, token = secret.hide(token), encoding_aes_key = secret.hide(key) }
      local q = { msg_signature = signature, timestamp = ts, nonce = nonce, echostr = echo }
      local status, body = call("GET", q)
      assert.equal(200, status)
      assert.equal(expected, body)
      q.nonce = nonce .. "0"
      assert.equal(401, (call("GET", q)))
    end

    it("is verified as in W1", function()
      verifies("QDG6eK", KEY, "wx5823bf96d3bd56c7", "1409659589", "263014780",
        "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==",
        "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3", "1616140317555161061")
    end)

    it("is verified as in W3", function()
      verifies("kjr2TKI8umCBfVF3wAHk8JiPwma5VBme", "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws", "ww6a112864f8022910",
        "1583940690", "VHh7ymSeb0jc4lSb", "6KmUQuPVu7UhjyVqRdbo5SfcRqaHvbUlKSHFvBV2ZuR6TIlKsygcfeSd1GDplg1C5KSKr6UPHCaC/nIX3ZNt9w==",
        "1ba3cb09c0d2c2b3ed6900d37f91a6efae6cb011", "94966531020182955848408")
    end)

    it("is verified as in W4", function()
      verifies("123456", "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR", "wx49f0ab532d5d035a", "1411443780", "437374425",
        "4ByGGj+sVCYcvGeQYhaKIk1o0pQRNbRjxybjTGblXrBaXlTXeOo1+bXFXDQQb1o6co6Yh9Bv41n7hOchLF6p+Q==",
        "dd6b9c95b495b3f7e2901bfbc76c664930ffdb96", "5927782489442352469")
    end)

    it("is for one enterprise only", function()
      ctx.config.corpid = "wwother"
      assert.equal(403, (call("GET", { timestamp = "1409659589", nonce = "263014780",
        msg_signature = "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
        echostr = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==" })))
    end)
  end)
end)
