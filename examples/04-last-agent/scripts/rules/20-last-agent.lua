-- Who comes back is served by the agent they know, if that one is there.
-- 老客户优先由上次的客服接待；不在线或没空就按正常规则分配。
---@type Rule
return {
  api = 1,
  -- on_message: only the first message of a new conversation. Hooks that have
  -- no message, like on_close, do not ask for it.
  match = { first = true },

  -- The conversation ends, the person stays: what is to be known next time
  -- belongs to the contact, where agents and the API see it, too.
  on_close = function(conv)
    if conv.assignee then
      conv:set_contact { attributes = { last_agent = conv.assignee, last_served_at = time.now() } }
    end
  end,

  on_message = function(conv)
    local last = conv.contact.attributes.last_agent
    if not last then return end -- never served: the next rule decides

    -- Found only if all of it applies; nil also if Mei has left the shop.
    local agent = agents.find { id = last, status = "online", room = true }
    if not agent then return end

    conv:reply("欢迎回来！" .. agent.name .. " 马上为您服务。")
    return conv:assign { agent = agent.id, note = "老客户：上次由您接待。" }
  end,
}
