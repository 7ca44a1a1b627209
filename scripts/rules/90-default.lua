-- The shipped rule: who answers when no other rule has decided.
-- 出厂规则：没有别的规则作决定时，由谁来接待。
--
-- A conversation that no agent holds goes to an online agent who has room,
-- the one with the least to do. If there is none, it waits in the queue and
-- goes to the first agent who has room. The visitor is told nothing.
-- 没有客服负责的会话，分配给在线且最空闲的客服；都没空就排队等候。不会向访客发送任何话。
--
-- To change this, copy the file, give it a smaller number (80-...) and edit
-- the copy: rules run in the order of their numbers.
---@type Rule
return {
  api = 1,
  priority = 90,
  -- Data, not code: a line to an agent who already holds the conversation
  -- does not run any Lua at all.
  match = { holder = "bot" },
  on_message = function(conv, msg)
    return conv:assign { pick = "least_busy" }
  end,
}
