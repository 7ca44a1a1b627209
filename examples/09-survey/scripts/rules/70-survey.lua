-- How was it? Asked when an agent has closed a conversation; 1 to 5. Bad marks go
-- to the team "care" before everybody else. Who does not answer is asked once
-- more after a day, unless they have written since.
-- 满意度调查：关闭会话后询问 1–5 分；低分优先转「care」团队；一天未答再问一次。
local BAD = 2 -- this and below
local ASK = "本次服务您满意吗？请回复 1–5 分（5 为非常满意）。"

-- What is waited for belongs to the person, not to the conversation: their
-- answer comes in a new one. It ends by itself: after three days a "5" is
-- just a number.
local function waiting(conv)
  return "waits:" .. conv.contact.id
end

-- "5", "５" (full width), "5分", "五分"; nil for anything else.
local words = { ["一"] = 1, ["二"] = 2, ["三"] = 3, ["四"] = 4, ["五"] = 5 }
local function mark_of(said)
  local plain = text.trim(text.normalize(said) or ""):gsub("分$", "")
  return tonumber(plain:match "^[1-5]$") or words[plain]
end

local function thank(conv, asked, mark)
  conv:set_contact { attributes = { satisfaction = mark, satisfaction_at = time.now() } }
  kv.del(waiting(conv))
  metric.count("survey_answers", 1, { mark = mark })
  if mark > BAD then
    conv:reply "感谢您的评价，祝您生活愉快！"
    return conv:close()
  end
  conv:tag "unhappy"
  conv:set_priority(5)
  conv:reply "非常抱歉没让您满意，我们的主管马上与您联系。"
  local note = ("差评 %d 分，上次会话 %s。"):format(mark, asked.conversation)
  -- A house without such a team tells everybody.
  return conv:assign { team = "care", note = note } or conv:assign { pick = "least_busy", note = note }
end

---@type Rule
return {
  api = 1,
  priority = 10, -- before all rules that would take "5" for a question
  deadline = "2s", -- it asks kv, and kv the disk: more than the usual 50 ms, for once

  on_close = function(conv, how)
    if how.by ~= "agent" then return end -- only after talks with a person
    conv:reply(ASK) -- a last word is allowed in a closed conversation
    kv.set(waiting(conv), { conversation = conv.id }, "3d")
    conv:after("1d", "once more")
  end,

  on_timer = function(conv, name)
    if name ~= "once more" then return end
    local asked = kv.get(waiting(conv))
    if asked and asked.conversation == conv.id then -- not answered, and no newer talk
      conv:reply("打扰您了：" .. ASK)
    end
  end,

  on_message = function(conv, msg)
    if conv.state ~= "bot" or msg.seq > 1 then return end -- cheap questions first
    local asked = kv.get(waiting(conv))
    if not asked then return end
    local mark = mark_of(msg.text)
    if mark then return thank(conv, asked, mark) end
    kv.del(waiting(conv)) -- something else is on their mind: leave them in peace
  end,
}
