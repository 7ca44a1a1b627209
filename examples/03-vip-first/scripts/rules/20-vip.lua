-- VIPs: in front of the queue, to a team of their own; who is not served within
-- 30 seconds goes to anybody with room.
-- 贵宾优先：先找专属团队，30 秒内没人接待就分配给任何有空的客服。
local TEAM, PATIENCE = "vip", "30s"

---@type Rule
return {
  api = 1,
  -- Data, not code: for everybody else this file runs no Lua at all.
  match = { tier = "vip", holder = "bot" },

  on_message = function(conv)
    if conv.state == "queued" then return true end -- waits already: leave it there
    conv:tag "vip"
    conv:set_priority(10) -- 0 is normal, higher comes first
    conv:after(PATIENCE, "patience") -- on disk: a restart does not forget it
    local decision, code, why = conv:assign { team = TEAM }
    if not decision then -- no such team: a thing to tell, no reason to let a VIP wait
      log.warn("no VIP team:", code, why)
      return conv:assign { pick = "least_busy" }
    end
    return decision
  end,

  on_timer = function(conv, name)
    if name == "patience" and conv.state == "queued" then
      conv:note("贵宾等待已超过 " .. PATIENCE .. "，转给其他同事。")
      return conv:assign { pick = "least_busy" }
    end
  end,
}
