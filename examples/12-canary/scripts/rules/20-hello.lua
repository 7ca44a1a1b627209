-- The greeting, and how to try a new one on a few conversations first.
-- 灰度发布：新版本先服务 10% 的新会话，确认没有变差再全量。
--
-- Change the text below and save: the new version does not replace this one, it
-- meets 10 % of the new conversations. After 50 of them the house compares
-- failures, time and hand-overs, and keeps the better one. Nothing to restart.
---@type Rule
return {
  api = 1,
  canary = { share = 10, conversations = 50, for_ = "1d" },
  pin = true, -- who began with one version stays with it to the end
  match = { state = "bot", first = true },

  on_message = function(conv)
    conv:reply "您好，请问有什么可以帮您？"
    return true
  end,
}
