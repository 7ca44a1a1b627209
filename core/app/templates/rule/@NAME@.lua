-- @TITLE@: say here what it is for, in a line or two.
---@type Rule
return {
  api = 1,
  match = { kind = "text", text = { "hello", "你好" } },

  on_message = function(conv, msg)
    conv:tag "greeted"
    conv:reply("Hello! You said: " .. msg.text)
    -- Nothing returned: the next rule has its turn. `return true` ends the
    -- round, so does `return conv:assign { ... }`.
    return true
  end,
}
