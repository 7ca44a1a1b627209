-- Open: whoever has room. Closed: one notice, and the queue in the morning.
local hours = require "lib.hours"

---@type Rule
return {
  api = 1,
  match = { holder = "bot" },

  on_message = function(conv, msg)
    if hours.is_open() then
      return conv:assign { pick = "least_busy" }
    end
    if not conv:get "told_closed" then
      conv:set("told_closed", true)
      conv:reply "Nobody is here right now. We are back at 9:00."
      conv:after(hours.until_open(), "open")
    end
    return true -- decided: it stays with the bot
  end,

  on_timer = function(conv, name)
    if conv and name == "open" and conv.state == "bot" then
      conv:set("told_closed", nil)
      conv:reply "Good morning! Somebody will be with you in a moment."
      conv:assign { pick = "least_busy" }
    end
  end,
}
