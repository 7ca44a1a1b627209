-- yuelai test channels/wechat
local t = require "test"
local json, secret = require "json", require "secret"

local API = "https://api.weixin.qq.com/cgi-bin/"
local GOOD = '[{"type":"click","name":"订单","key":"ORDERS"},{"name":"更多","sub_button":[{"type":"view","name":"官网","url":"https://x.example.com"}]}]'

describe("channel wechat, the menu", { only = "none" }, function()
  local adapter, ctx
  before_each(function()
    adapter = t.load "channels/wechat"
    ctx = { channel = { id = "ch_menu", type = "wechat", name = "account" },
      config = { appid = "wx0000000000000000", secret = secret.hide "app-secret", token = secret.hide "AAAAA" } }
    t.http.on("POST " .. API .. "stable_token", { json = { access_token = "T1", expires_in = 7200 } })
  end)

  local function called(path)
    local list = {}
    for _, c in ipairs(t.http.calls()) do
      if c.path:find(path, 1, true) then list[#list + 1] = c end
    end
    return list
  end
  local function polled(menu)
    ctx.config.menu = menu
    return adapter.poll(ctx)
  end

  it("is set once for each version, and taken away when the setting is emptied", function()
    t.http.on("POST " .. API .. "menu/create*", { json = { errcode = 0 } })
    t.http.on("GET " .. API .. "menu/delete*", { json = { errcode = 0 } })
    assert.is_not_nil(polled())
    assert.same({}, called "menu")
    polled(GOOD)
    polled(GOOD)
    assert.equal(1, #called "menu/create")
    assert.same({ button = json.decode(GOOD) }, called "menu/create"[1].json)
    assert.contains("订单", called "menu/create"[1].body) -- UTF-8, not \u
    polled '{"button":[{"type":"click","name":"A","key":"B"}]}'
    assert.equal(2, #called "menu/create")
    polled ""
    polled ""
    assert.equal(1, #called "menu/delete")
  end)

  it("is tried again ten minutes after WeChat has refused it; check says why", function()
    t.http.on("POST " .. API .. "menu/create*", { json = { errcode = 40018, errmsg = "invalid button name size" }, times = 1 })
    local again, code, why = polled(GOOD)
    assert.is_nil(again)
    assert.equal("menu", code)
    assert.contains("40018", why)
    assert.is_not_nil(polled(GOOD))
    local _, what, sentence = adapter.check(ctx.config, ctx)
    assert.equal("menu", what)
    assert.contains("40018", sentence)
    t.advance "10m"
    t.http.on("POST " .. API .. "menu/create*", { json = { errcode = 0 } })
    assert.is_not_nil(polled(GOOD))
    assert.is_true(adapter.check(ctx.config, ctx))
  end)

  it("that cannot be one is never sent", function()
    local one = '{"type":"click","name":"A","key":"K"}'
    for _, case in ipairs {
      { "nonsense", "JSON" }, { "[]", "JSON" }, { ("[%s,%s,%s,%s]"):format(one, one, one, one), "3" },
      { '[{"type":"click","key":"K"}]', "name" }, { '[{"type":"click","name":"一二三四五六","key":"K"}]', "16" },
      { '[{"type":"dance","name":"A"}]', "dance" }, { '[{"type":"view","name":"A"}]', "url" },
      { '[{"type":"miniprogram","name":"A","url":"https://x"}]', "appid" }, { '[1]', "name" },
      { ('[{"name":"A","sub_button":[%s]}]'):format((one .. ","):rep(6):sub(1, -2)), "5" },
      { ('[{"type":"click","name":"A","key":"%s"}]'):format(("k"):rep(129)), "key" },
    } do
      local _, code, why = polled(case[1])
      assert.equal("menu", code, case[1])
      assert.contains(case[2], why)
      local ok, what = adapter.check(ctx.config, ctx)
      assert.is_nil(ok)
      assert.equal("menu", what)
    end
    assert.same({}, called "menu")
  end)
end)
