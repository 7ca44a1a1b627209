-- Answers what is asked every day; after two questions it cannot answer, a
-- person takes over.
-- 自动回答常见问题；连续两次答不上来就转人工。
local faq = require "lib.faq"

local GOOD_ENOUGH = 0.55 -- of 1; lower: more answers, and more wrong ones
local GIVE_UP = 2

-- Built once, when the file is loaded: each word with the entry it points to.
local entry_of = {}
local words = {}
for i, entry in ipairs(faq) do
  for _, word in ipairs(entry.words) do
    entry_of[word] = i
    words[#words + 1] = word
  end
end
local known = text.matcher(words) -- also names that the dictionary does not have
local person = text.matcher { "人工", "客服", "真人", "human", "agent" }

-- Thousands ask the same: what was found out is kept in memory for a while.
local found = cache.new { name = "found", size = 2000, ttl = "1h" }

-- How well an entry fits: how alike the texts are, and more for each of its
-- words that the question has. "search" cuts as a search engine does.
local function score(i, question, segments)
  local best = 0
  for _, asked in ipairs(faq[i].asked) do
    best = math.max(best, text.similarity(question, asked) or 0)
  end
  for _, word in ipairs(segments) do
    if entry_of[word] == i then best = best + 0.4 end
  end
  return best
end

-- The number of the entry that fits best, 0 if none fits.
local function search(question)
  local best, best_score = 0, GOOD_ENOUGH
  local segments = text.segment(question, { mode = "search", words = known }) or {}
  for i = 1, #faq do
    local s = score(i, question, segments)
    if s >= best_score then best, best_score = i, s end
  end
  return best
end

---@type Rule
return {
  api = 1,
  match = { kind = "text", state = "bot" },
  deadline = "1s", -- the first text.segment after a start loads the dictionary

  on_message = function(conv, msg)
    if #msg.text > 500 or person:find(msg.text) then return end -- for people

    local question = text.casefold(msg.text)
    local i = found:once(question, function() return search(question) end)
    if i > 0 then
      metric.count("faq_answers")
      conv:set("misses", nil)
      conv:reply(faq[i].answer)
      return true -- decided: nobody is rung
    end

    local misses = (conv:get "misses" or 0) + 1
    conv:set("misses", misses)
    if misses >= GIVE_UP then
      conv:reply "这个问题我答不上来，为您转接人工客服。"
      return conv:assign { pick = "least_busy", note = "机器人没答上来：" .. msg.text }
    end
    conv:reply "抱歉，我没听懂。您可以换个说法，或回复「人工」转接客服。"
    return true
  end,
}
