-- yuelai test ai/coze
local t = require "test"
local json, crypto = require "json", require "crypto"

local BASE = "https://api.coze.cn"
local URL = "POST " .. BASE .. "/v3/chat"
local config = { bot_id = "7400000000000000001", token = "pat_1", prices = "* in=2 out=6 CNY" }
local turn = { id = "t1", user = "u-1", messages = { { role = "system", text = "be kind" },
  { role = "user", text = "退货" }, { role = "assistant", text = "哪个订单？" }, { role = "user", text = "4711" } } }

local function run(state, options)
  options = options or {}
  options.config = options.config or config
  return t.ai.run(t.load "ai/coze", { id = "t1", user = "u-1", messages = options.messages or turn.messages,
    state = state }, options)
end
-- As Coze writes it: no blank after the colon.
local function frame(event, x) return "event:" .. event .. "\ndata:" .. json.encode(x) .. "\n\n" end
local created = frame("conversation.chat.created", { id = "ch1", conversation_id = "cv1", bot_id = "b", status = "created" })
local function piece(text, kind, id)
  return frame("conversation.message.delta", { id = id or "m1", conversation_id = "cv1", role = "assistant",
    type = kind or "answer", content = text, content_type = "text", chat_id = "ch1" })
end
local completed = frame("conversation.chat.completed", { id = "ch1", conversation_id = "cv1", status = "completed",
  usage = { token_count = 633, output_count = 19, input_count = 614 } })
local done = completed .. 'event:done\ndata:"[DONE]"\n\n'

describe("coze", function()
  it("gives the answer, and remembers the conversation", function()
    t.http.fixtures "chat"
    local got = run()
    assert.is_true(got.ok)
    assert.equal("您的订单明天到。", got.text)
    assert.same({ "您的", "订单明天到。" }, got.pieces)
    assert.same({ input = 614, output = 19, cost = 0.001342, currency = "CNY" }, got.usage)
    assert.same({ conversation = "7380000000000000001" }, got.state)
    local call = t.http.calls()[1]
    assert.equal("Bearer pat_1", call.headers.authorization)
    assert.equal("7400000000000000001", call.json.bot_id)
    assert.equal("u-1", call.json.user_id)
    assert.is_true(call.json.auto_save_history)
    assert.same({ "退货", "哪个订单？", "4711" },
      { call.json.additional_messages[1].content, call.json.additional_messages[2].content,
        call.json.additional_messages[3].content })
    assert.equal("answer", call.json.additional_messages[2].type)
  end)

  it("goes on in its conversation with nothing but what is new", function()
    t.http.on(URL, { chunks = { created, piece "a", done } })
    assert.is_true(run({ conversation = "cv1" }).ok)
    local call = t.http.calls()[1]
    assert.equal("cv1", call.query.conversation_id)
    assert.equal(1, #call.json.additional_messages)
    assert.equal("4711", call.json.additional_messages[1].content)
  end)

  it("begins a new one when Coze has forgotten it", function()
    t.http.on(URL, { times = 1, json = { code = 4200, msg = "conversation not found" } })
    t.http.on(URL, { chunks = { created, piece "a", done } })
    local got = run { conversation = "old" }
    assert.is_true(got.ok)
    assert.is_nil(t.http.calls()[2].query.conversation_id)
    assert.same({ conversation = "cv1" }, got.state)
  end)

  it("shows answers only, and one that came without pieces", function()
    t.http.on(URL, { chunks = { created, piece("{}", "function_call"), piece("x", "tool_response"), piece("hm", "verbose"),
      piece "好", frame("conversation.message.completed", { id = "m1", type = "answer", content = "好" }),
      frame("conversation.message.completed", { id = "m2", type = "answer", content = "的" }),
      frame("conversation.message.completed", { id = "m3", type = "follow_up", content = "还有吗？" }), done } })
    assert.equal("好的", run().text)
  end)

  it("asks for tools, and goes on with what they said", function()
    t.http.on(URL, { chunks = { created, frame("conversation.chat.requires_action", { id = "ch1", conversation_id = "cv1",
      status = "requires_action", required_action = { type = "submit_tool_outputs", submit_tool_outputs = { tool_calls = {
        { id = "c1", type = "function", ["function"] = { name = "order", arguments = '{"no":"4711"}' } } } } } }),
      'event:done\ndata:"[DONE]"\n\n' } })
    local got = run()
    assert.same({ { id = "c1", name = "order", arguments = { no = "4711" } } }, got.tool_calls)
    assert.same({ conversation = "cv1", chat = "ch1" }, got.state)
    t.http.on("POST " .. BASE .. "/v3/chat/submit_tool_outputs", { chunks = { piece "已发货", done } })
    local next_turn = run(got.state, { messages = { { role = "user", text = "4711" },
      { role = "assistant", text = "", tool_calls = got.tool_calls }, { role = "tool", tool_call_id = "c1", text = "sent" } } })
    assert.equal("已发货", next_turn.text)
    assert.same({ conversation = "cv1" }, next_turn.state)
    local call = t.http.calls()[2]
    assert.same({ conversation_id = "cv1", chat_id = "ch1" }, call.query)
    assert.same({ tool_outputs = { { tool_call_id = "c1", output = "sent" } }, stream = true }, call.json)
  end)

  it("sends files with their addresses", function()
    t.http.on(URL, { chunks = { created, piece "a", done } })
    assert.is_true(run(nil, { messages = { { role = "user", text = "看",
      files = { { mime = "image/png", url = "https://x/1.png" }, { mime = "application/pdf", url = "https://x/2.pdf" } } } } }).ok)
    local m = t.http.calls()[1].json.additional_messages[1]
    assert.equal("object_string", m.content_type)
    assert.same({ { type = "text", text = "看" }, { type = "image", file_url = "https://x/1.png" },
      { type = "file", file_url = "https://x/2.pdf" } }, json.decode(m.content))
  end)

  it("stops Coze too when a person has taken over", function()
    t.http.on(URL, { chunks = { created, piece "a", piece "b", done } })
    t.http.on("POST " .. BASE .. "/v3/chat/cancel", { json = { code = 0 } })
    assert.equal("cancelled", run(nil, { cancel_after = 1 }).class)
    assert.same({ conversation_id = "cv1", chat_id = "ch1" }, t.http.calls()[2].json)
  end)
end)

local KEY = [[
-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCbZvTi4fZ8LM0e
bFo5Sy5RVNCgpVYzU2v3ld42rav0W4psNmgcHUT7evUcZo35K854D+oKgWX9kFZZ
02Jvk9ppYCDb77qkZxx0fC1tpA7UnfnYqWwS4VgMoZokt+2sZD1Kduu7Pgv5jPQO
Qto5195GxowO0YhtgUvSoHSOJ6BrHBLsINWHFFIjgp8Bf7uBwvTIHEL7sTxuN209
GHiG7k3rpf3az9Rv4CiNcn4kH5FtCXcl9oyr8lxWAI3IKBALjsDfjWJFoV0v/J8u
Tt3H+zG0dknurSLccHMlXBnyMQ66QAa+TMTV1f9Fsmf7BMkWSkf6R1YaDXkKYI0P
LuRzpY63AgMBAAECggEAHR8+rhPtZpjYuaZRhCIgJHKyBCDn1geAmK23rmR+cHUF
LEFH4ljj2ALTU0auvW6lqx9EW0Kjk9CMNhokfMdm609t6Pl0byG5leS9eKoBc3vF
WgJp8+HR59AS/GWRfzhrufwuMfEvOk1dYRzLG4LmLzo+/fnrSKYtyONz5D3t1JRr
/2XBSxccoCocVG0ID5BILdpv1um33hw+sXjN8V/3im2LAi4xLZBHNoOvOFgeYpzV
+wX6z/CoVlXAuqK4Cf4WnTy5W6VnlVl0FZd4xK8c/eLH0A/B4kWjkuxXvTCFmceZ
DLr9677ATMGADslWE1ubIgdGgZvkzLxecEQqIybCuQKBgQDIgecaVMu9wm5l73Rj
AJYAyh8oQk5JZI/2W3c9P9dodWA3gfWIgx/VX/BqyJkQKmNFzNhvx1wjXNTcFLCj
KzMfx2iX0y+d1+rDwn5tA72Tbvrbu0vmKkopuks8jDwoYqVzAaj7kLBgsdOWMvMy
g0OciGQmDxOCrWT+o9P/ZA0RjwKBgQDGaVBCkBsfvSTDVz10sdG2V5Xzuj1sda1+
FB1p4cb9wh+ZhEHFW9TvKRIFmYJs0VBVOWSx/onl00i/9f4LgguDAlVd2cOr4WmX
p7rr7sFXK9vXh9GhilDFU4N0DNob1T0yqxPaTjCX0usXGpf+2BxjxMw8v/sBqHzh
qz2pndxMWQKBgGYjzn9aXOOQrT5eKfLY9JD4ZcDTbh/zC2cbFvXrlKbQzC/akyJ0
cX33vngXMenLPgDrpgHjE6ur+X8XRxgHxKZWpZBZ83K78ArDBDYyZps5OK9AjRx1
xIvXK8ZvRaHpBpE8ckGcZk0LqVZlJABCX+nYjPPaUD0MaVtSR4ddB08/AoGBAJBx
lPOQc56slTn8pgnxdmnX45vXJuZx2UcjH7K4oqSUkWqypSsnyqH99VfMRO4xh9kz
ekI2u29sXNcbH8KC/xx2M22qnk/gP34fpu4iF/D9RgPnpc6Don+1Z8qxnIuMtwvP
DhnsuGWfMHTWcHcgH7LmT4Wegf7YCWpEvxRfj0SpAoGAR+cAoifMgLBdP1zUbKfO
xV1I42sh9aua24LEnPaDvbwVkemVfEhuNpi5+4Tkn0rID3mBhKWDZsfY1zfUhkP7
0Ahdcwuf0c8OsNsfJEWbXjciPeaG7l2NQZI0xBgoUKH/Su+EzJmiwKEaKf74s4Ga
bnIcYVxUk1AdCA29SqIttAw=
-----END PRIVATE KEY-----
]]
local PUBLIC = [[
-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAm2b04uH2fCzNHmxaOUsu
UVTQoKVWM1Nr95XeNq2r9FuKbDZoHB1E+3r1HGaN+SvOeA/qCoFl/ZBWWdNib5Pa
aWAg2++6pGccdHwtbaQO1J352KlsEuFYDKGaJLftrGQ9Snbruz4L+Yz0DkLaOdfe
RsaMDtGIbYFL0qB0jiegaxwS7CDVhxRSI4KfAX+7gcL0yBxC+7E8bjdtPRh4hu5N
66X92s/Ub+AojXJ+JB+RbQl3JfaMq/JcVgCNyCgQC47A341iRaFdL/yfLk7dx/sx
tHZJ7q0i3HBzJVwZ8jEOukAGvkzE1dX/RbJn+wTJFkpH+kdWGg15CmCNDy7kc6WO
twIDAQAB
-----END PUBLIC KEY-----
]]
describe("coze: JWT", function()
  local jwt = { bot_id = "b1", app_id = "a1", key_id = "k1", private_key = KEY }
  local TOKEN = "POST " .. BASE .. "/api/permission/oauth2/token"

  it("buys a token by a signed JWT, once", function()
    t.http.on(TOKEN, function(req)
      local claims = crypto.jwt_verify("RS256", PUBLIC, req.headers.authorization:match "^Bearer (.+)$")
      local ok = claims and claims.iss == "a1" and claims.aud == "api.coze.cn" and #claims.jti >= 16
      if not ok or req.json.grant_type ~= "urn:ietf:params:oauth:grant-type:jwt-bearer" then return { status = 401, body = "" } end
      return { json = { access_token = "bought", expires_in = 900, token_type = "Bearer" } }
    end)
    t.http.on(URL, { chunks = { created, piece "a", done } })
    for _ = 1, 2 do assert.is_true(run(nil, { config = jwt }).ok) end
    assert.equal(3, #t.http.calls())
    assert.equal("Bearer bought", t.http.calls()[3].headers.authorization)
  end)

  it("buys another one when Coze does not know it any more", function()
    t.http.on(TOKEN, { times = 1, json = { access_token = "one", expires_in = 900 } })
    t.http.on(TOKEN, { json = { access_token = "two", expires_in = 1 } })
    t.http.on(URL, { times = 1, status = 401, json = { code = 4100, msg = "authentication is invalid" } })
    t.http.on(URL, { chunks = { created, piece "a", done } })
    assert.is_true(run(nil, { config = jwt }).ok)
    assert.equal("Bearer two", t.http.calls()[4].headers.authorization)
  end)

  it("says what is wrong", function()
    assert.equal("unauthorized", run(nil, { config = { bot_id = "b" } }).class)
    assert.equal("unauthorized", run(nil, { config = { bot_id = "b", app_id = "a2", key_id = "k", private_key = "nonsense" } }).class)
    t.http.on(TOKEN, { status = 401, json = { error_code = "invalid_client", error_message = "no app" } })
    assert.equal("unauthorized", run(nil, { config = { bot_id = "b", app_id = "a3", key_id = "k", private_key = KEY } }).class)
  end)

  it("checks token and bot", function()
    local check = t.load("ai/coze").check
    local bot = "GET " .. BASE .. "/v1/bots/7400000000000000001"
    t.http.on(bot, { times = 1, json = { code = 4100, msg = "invalid" } })
    t.http.on(bot, { json = { code = 0, data = { name = "Shop" } } })
    assert.equal("unauthorized", (select(2, check(config))))
    assert.is_true(check(config))
  end)
end)

local function code(n, msg, status) return { status = status, json = { code = n, msg = msg or "" } } end
local function failed(n, msg)
  return { chunks = { created, frame("conversation.chat.failed", { id = "ch1", status = "failed", last_error = { code = n, msg = msg } }),
    'event:done\ndata:"[DONE]"\n\n' } }
end
local troubles = {
  { "a wrong parameter", "bad_request", code(4000) }, { "a wrong token", "unauthorized", code(4100) },
  { "no right", "unauthorized", code(4101, "", 403) }, { "too fast", "rate_limited", code(4013) },
  { "another one runs", "unavailable", code(4016) }, { "an unknown code", "unavailable", code(799999, "oh") },
  { "a sensitive text", "refused", code(700099, "sensitive content") },
  { "a run that failed", "unavailable", failed(5000, "event interval error") },
  { "a run that was too fast", "rate_limited", failed(4019, "qpm") },
  { "an error event", "unauthorized", { chunks = { created, frame("error", { code = 4101, msg = "no" }) } } },
  { "JSON with code 0", "broken", code(0) },
  { "wrong types", "broken", { chunks = { created, piece { 1 }, done } } },
  { "a tool that is none", "broken", { chunks = { created, frame("conversation.chat.requires_action", { id = "ch1",
    required_action = { submit_tool_outputs = { tool_calls = { { id = "c" } } } } }) } } },
  { "codes from the settings", "rate_limited", code(4016),
    { bot_id = "b", token = "p", codes = "14016=refused 4016=rate_limited" } },
}
require "tests.troubles"("coze", URL, function(given) return run(nil, { config = given }) end, troubles, { piece = piece, done = done })
