-- yuelai test channels/whatsapp: what staff says in the WhatsApp Business app.
local t, kit = require "test", require "tests.desk"
local json, crypto, secret = require "json", require "crypto", require "secret"

describe("channel whatsapp, staff in the WhatsApp Business app", { only = "none" }, function()
  local desk, adapter, ctx
  before_each(function()
    desk = kit.of({ type = "whatsapp", name = "WA" }, { phone_number_id = "1001", access_token = secret.hide "EAAG",
      app_secret = secret.hide "test_app_secret", verify_token = secret.hide "v3rify" })
    adapter, ctx = desk.adapter, desk.ctx
  end)

  local function push(number, ...)
    local body = json.encode { object = "whatsapp_business_account", entry = { { id = "W", changes = { {
      field = "smb_message_echoes", value = { messaging_product = "whatsapp",
        metadata = { phone_number_id = number }, message_echoes = { ... } } } } } } }
    return (adapter.receive({ method = "POST", path = "", query = {}, body = body,
      headers = { ["x-hub-signature-256"] = "sha256=" .. crypto.hmac("sha256", "test_app_secret", body) } }, ctx))
  end
  local function said(id, kind, content)
    return { from = "15550001", to = "8613800000000", id = id, timestamp = "1735700000", type = kind, [kind] = content }
  end

  it("stands here as theirs, to the customer, with its file", function()
    desk.files = { { { id = "fi_1", name = "a.jpg", mime = "image/jpeg", size = 9 } } }
    t.http.on("GET https://graph.facebook.com/v21.0/9", { json = { url = "https://lookaside.example.com/9" } })
    assert.equal(200, push("1001", said("wamid.1", "text", { body = "Hi" }), said("wamid.2", "image", { id = "9" })))
    assert.same({ dedupe = "wamid.1", to = "8613800000000", profile = { phone = "+8613800000000" }, kind = "text",
      text = "Hi" }, desk.echoes[1])
    assert.equal("wamid.2", desk.echoes[2].dedupe)
    assert.equal("fi_1", desk.echoes[2].file.id)
    assert.same({}, desk.delivered)
  end)

  it("is of our number only, and needs to be to somebody", function()
    assert.equal(200, push("1002", said("wamid.1", "text", { body = "Hi" })))
    assert.equal(200, push("1001", { from = "15550001", id = "wamid.1", type = "text", text = { body = "Hi" } }))
    for _, odd in ipairs { 1, true, {} } do
      assert.equal(200, push("1001", odd, { to = odd, id = odd, type = odd }))
    end
    assert.same({}, desk.echoes)
  end)

  it("is pushed again while the house cannot take it", function()
    ctx.echo = function() return nil, "unavailable", "is it this one?" end
    assert.equal(503, push("1001", said("wamid.1", "text", { body = "Hi" })))
  end)
end)
