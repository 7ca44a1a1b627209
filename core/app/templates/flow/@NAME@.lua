-- @TITLE@: a story of several steps. A rule begins it: flow.start "@NAME@".
-- Every wait is kept, so a restart or a new version does not end the story.
return {
  api = 1,
  title = "@TITLE@",

  run = function(conv, args)
    local answer = ask("Which order is it about?", { timeout = "10m" })
    if not answer then
      conv:reply "Write again whenever you like."
      return
    end
    conv:reply("Thank you. We look after order " .. answer.text .. " and write to you tomorrow.")
    sleep "1d"
    conv:reply("Is everything all right with order " .. answer.text .. "?")
  end,
}
