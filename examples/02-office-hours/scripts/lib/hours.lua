-- When somebody is there. 营业时间
--
-- This file takes the place of the house's own scripts/lib/hours.lua: rules ask
-- it by conv:is_open_hours(), or by require "lib.hours" for more than yes or no.
-- Holidays and make-up workdays (调休) of the coming years belong in here, too;
-- the house's own scripts/lib/holidays_cn.lua shows a list in a file of its own.
return time.business_hours {
  zone = "Asia/Shanghai",
  weekdays = "9:00-18:00",
  sat = "10:00-12:00, 13:00-16:00", -- closed for lunch
  holidays = {
    "2030-02-02..2030-02-08", -- 春节 Spring Festival
    ["2030-12-31"] = "9:00-12:00", -- open for half a day
  },
  workdays = { "2030-02-10" }, -- 调休: a Sunday that is worked like a Monday
}
