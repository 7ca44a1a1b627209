-- SPDX-License-Identifier: Apache-2.0
-- test_people.lua - visitors and agents of a test: what they see, say and do.
local native = ...
local t, pattern_type = {}, {}
local show = native.show
local function step(...) return native.step(...) end
native.test = t

-- --- what somebody saw ------------------------------------------------------

-- t.pattern "order %d+": where a text would be meant as it is.
function t.pattern(p) return setmetatable({ pattern = p }, pattern_type) end

local function fits(message, wanted)
  if type(wanted) == "string" then
    return type(message.text) == "string" and message.text:find(wanted, 1, true) ~= nil
  end
  if type(wanted) == "function" then return wanted(message) end
  if getmetatable(wanted) == pattern_type then
    return type(message.text) == "string" and message.text:find(wanted.pattern) ~= nil
  end
  for k, v in pairs(wanted) do
    if message[k] ~= v then return false end
  end
  return true
end

local function wanted_text(wanted)
  if type(wanted) == "string" then return "a message with " .. show(wanted) end
  if type(wanted) == "function" then return "a message that the function accepts" end
  if getmetatable(wanted) == pattern_type then return "a message like " .. show(wanted.pattern) end
  return "a message with " .. show(wanted)
end

local function seen_text(list)
  if #list == 0 then return "nothing" end
  local out = {}
  for i, m in ipairs(list) do
    out[i] = ("%s%s: %s"):format(m.sender and m.sender.role or "?", m.private and " (note)" or "",
      m.kind == "text" and show(m.text) or show(m))
  end
  return table.concat(out, "\n")
end

local function check_wanted(wanted, call)
  local kind = type(wanted)
  if kind ~= "string" and kind ~= "function" and kind ~= "table" then
    native.fail(call .. " takes a text, t.pattern, a table of fields or a function, not " .. kind)
  end
end

-- The first message not yet spoken of that fits; it and those before it are
-- then seen. Waits, in virtual time, for what handlers have under way.
local function sees(self, wanted)
  check_wanted(wanted, "sees")
  local go = false
  while true do
    local got = step("seen", { who = self.id, after = self.at, go = go })
    for _, m in ipairs(got.items) do
      if fits(m, wanted) then
        self.at = m.n
        return m
      end
    end
    if not got.more then
      native.fail(self.name .. " does not see it", { expected = wanted_text(wanted), actual = seen_text(got.items) })
    end
    go = true
  end
end

local function sees_nothing(self, wanted)
  local got
  local go = false
  repeat
    got = step("seen", { who = self.id, after = self.at, go = go })
    go = true
  until not got.more
  local list = {}
  for _, m in ipairs(got.items) do
    if wanted == nil or fits(m, wanted) then list[#list + 1] = m end
  end
  if #list > 0 then
    native.fail(self.name .. " sees something",
      { expected = wanted and "not " .. wanted_text(wanted) or "nothing", actual = seen_text(list) })
  end
  if wanted == nil then self.at = got.last end
end

local function messages(self)
  return step("seen", { who = self.id, after = 0 }).items
end

-- --- people -----------------------------------------------------------------

local person, visitor, agent = {}, {}, {}
person.sees, person.sees_nothing, person.messages = sees, sees_nothing, messages
function person:leaves() step("leave", { who = self.id }) end
function person:comes_back() step("back", { who = self.id }) end
function person:types(text) step("type", { who = self.id, text = text }) end
function native.conversation_of(x)
  if type(x) == "table" then return { who = x.id, conversation = x.conversation_id } end
  return { conversation = x }
end

local conversation_of = native.conversation_of

-- says "text", or says { kind = "image", file = "f_1" }
function visitor:says(message)
  if type(message) == "string" then message = { kind = "text", text = message } end
  return step("say", { who = self.id, message = message })
end
function visitor:reads() step("read", { who = self.id }) end

-- bob:says "text" in the conversation he was given last, or bob:says(anna, "text")
local function agent_says(self, private, where, message)
  if message == nil then where, message = nil, where end
  if type(message) == "string" then message = { kind = "text", text = message } end
  if type(message) ~= "table" then native.fail "says takes a text" end
  local data = where and conversation_of(where) or {}
  return step("say", { who = self.id, message = message, private = private, of = data.who,
    conversation = data.conversation })
end
function agent:says(where, message) return agent_says(self, nil, where, message) end
function agent:notes(where, message) return agent_says(self, true, where, message) end

-- anna:is_refused("text", "part of why"): an on_inbound or on_send rejects it.
-- Gives the reason.
function person:is_refused(message, why)
  local ok, f = pcall(self.says, self, message)
  if ok then
    native.fail(self.name .. "'s message was not refused", { expected = "a refusal", actual = "it was stored" })
  end
  if type(f) ~= "table" or not f.failure then error(f, 0) end
  local reason = f.message:match "^the house refused it: (.*)$"
  if not reason then error(f, 0) end
  if why and not reason:find(why, 1, true) then
    native.fail("it was refused for another reason",
      { expected = "a reason with " .. show(why), actual = show(reason) })
  end
  return reason
end

local function acts(kind)
  return function(self, where, more)
    if more == nil and type(where) == "table" and not where.id then where, more = nil, where end
    local data = where and conversation_of(where) or {}
    step("act", { kind = kind, agent = self.id, of = data.who, conversation = data.conversation, more = more or {} })
  end
end
agent.closes, agent.reopens, agent.snoozes = acts "close", acts "reopen", acts "snooze"
agent.assigns, agent.updates, agent.reads = acts "assign", acts "update", acts "read"
function agent:status(status) step("status", { who = self.id, status = status }) end

-- Has been given a conversation (anna's, or any) since it was last asked.
function agent:is_assigned(whom)
  local c = whom and t.conversation(whom)
  local mine = step("assigned", { who = self.id }).conversations
  for _, id in ipairs(mine) do
    if not c or c.id == id then return end
  end
  native.fail(self.name .. " was not assigned " .. (whom and whom.name .. "'s conversation" or "a conversation"),
    { expected = self.email, actual = c and (c.assignee and c.assignee.email or c.state) or "nothing" })
end

for _, class in ipairs { visitor, agent } do
  for k, v in pairs(person) do class[k] = v end
end

local function made(class, data, got)
  for k, v in pairs(got) do data[k] = v end
  for k in pairs(class) do data[k] = nil end -- status = "away": a call has that name
  data.at = 0
  return setmetatable(data, { __index = class })
end

local function copy(data)
  local out = {}
  for k, v in pairs(data or {}) do out[k] = v end
  return out
end

function t.visitor(data)
  data = copy(data)
  return made(visitor, data, step("visitor", data))
end

function t.agent(data)
  data = copy(data)
  return made(agent, data, step("agent", data))
end
