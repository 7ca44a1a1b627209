-- What Meta's error codes mean: come again after some seconds, or never; and words.
local shared = require "lib.channels"

local tab, words = shared.tab, shared.words

local M = {}

M.RETRY = { [1] = 5, [2] = 5, [4] = 60, [80007] = 60, [130429] = 10, [131000] = 10, [131016] = 30, [131056] = 6,
  [131048] = 3600, [131057] = 600, [133004] = 30 }
local FAILED = { [0] = "invalid_token", [190] = "invalid_token", [3] = "not_allowed", [10] = "not_allowed",
  [368] = "restricted", [131031] = "restricted", [131042] = "not_paid", [131026] = "no_recipient",
  [131030] = "not_allowed", [131047] = "window_closed", [131050] = "blocked", [131051] = "unsupported",
  [131062] = "unsupported", [133010] = "config" }
local WORDS = {
  invalid_token = "访问令牌不对或已过期 / the access token is wrong or has expired",
  not_allowed = "没有权限，或收信人不在测试名单里 / not allowed, or a test number's recipient is not on its list",
  restricted = "账号被限制 / the account is restricted",
  not_paid = "Meta 账单有问题 / there is a problem with the payment method at Meta",
  no_recipient = "对方收不到：没有 WhatsApp、版本太旧或屏蔽了你 / cannot be delivered: no WhatsApp, too old, or blocked",
  window_closed = "已过 24 小时回复时限，等客户再说话 / 24 hours have passed since the customer's last word",
  blocked = "客户不愿再收消息 / the customer has opted out",
  config = "号码没有在 Cloud API 注册 / the number is not registered with the Cloud API",
}

function M.code_of(e)
  local code = tonumber(e.code) or -1
  return code, FAILED[code] or code >= 200 and code <= 299 and "not_allowed" or "refused"
end

function M.sentence(e)
  local code, name = M.code_of(e)
  local what = M.RETRY[code] and "暂时不能发送 / not now" or WORDS[name] or "WhatsApp 拒绝了 / WhatsApp refuses"
  return ("%s (%d %s)"):format(what, code, words(e.title or e.message, tab(e.error_data).details))
end

return M
