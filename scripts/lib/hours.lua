-- Opening hours of this house: what conv:is_open_hours() asks, and what
-- `require "lib.hours"` gives to rules and flows.
-- 营业时间：conv:is_open_hours() 用它判断；规则和流程也可以 require "lib.hours"。
--
-- A change here reloads the scripts that ask for it, nothing else.
-- 修改后，只有用到它的脚本会重新加载。
local cn = require "lib.holidays_cn"

return time.business_hours {
  zone = "Asia/Shanghai",
  weekdays = "9:00-18:00",
  holidays = cn.holidays,
  workdays = cn.workdays, -- 调休上班
}
