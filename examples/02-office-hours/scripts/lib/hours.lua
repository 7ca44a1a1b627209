-- When somebody is there. The machine's own time zone; give another one as
-- the last argument of the time functions, "Europe/Berlin" for example.
local M = { open = "09:00", close = "18:00" }

function M.is_open()
  return time.is_between(M.open, M.close)
end

-- How long until the doors open, as a duration such as "655m".
function M.until_open()
  local now = time.date()
  local hour, minute = M.open:match "(%d+):(%d+)"
  local minutes = hour * 60 + minute - (now.hour * 60 + now.min)
  return (minutes > 0 and minutes or minutes + 24 * 60) .. "m"
end

return M
