-- HTML of a mail as plain text: once over it, whatever it is. What a mail
-- program quotes below the answer is left out.
local M = {}

local MOST, TAGS = 128 * 1024, 6000 -- what is behind them is not looked at
local function set(words)
  local list = {}
  for word in words:gmatch "%S+" do list[word] = true end
  return list
end
local BLOCK = set [[p div br tr li ul ol table h1 h2 h3 h4 h5 h6 hr pre section article header footer dl dt dd
  blockquote center form fieldset address]]
local SKIPPED = set "script style head title template svg math object iframe textarea select"
-- Where history begins, as mail programs mark it (Gmail, Yahoo, Outlook, QQ, NetEase, Foxmail, Apple).
local HISTORY = { "gmail_quote", "yahoo_quoted", "divrplyfwdmsg", "appendonsend", "stopspelling", "isreplycontent",
  "includetail", "moz-cite-prefix", "mail-quote-content", "foxdiv_quote", "qm_ntes_reply", "ntes_reply" }

local NAMED = { amp = "&", lt = "<", gt = ">", quot = '"', apos = "'", nbsp = " ", ensp = " ", emsp = " ",
  ldquo = "“", rdquo = "”", lsquo = "‘", rsquo = "’", mdash = "—", ndash = "–", hellip = "…", middot = "·",
  copy = "©", reg = "®", yen = "¥", euro = "€", pound = "£", times = "×", bull = "•", laquo = "«", raquo = "»" }

local function char(code)
  if not code or code < 32 and code ~= 10 or code > 0x10FFFF or (code >= 0xD800 and code <= 0xDFFF) then return "" end
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then
    return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
  end
  return string.char(0xF0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64,
    0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

function M.entities(text)
  if not (text:find("&", 1, true) and text:find(";", 1, true)) then return text end
  return (text:gsub("&(#?[xX]?)(%w+);", function(mark, name)
    if mark == "#" then return tonumber(name) and char(tonumber(name)) end
    if mark == "#x" or mark == "#X" then return tonumber(name, 16) and char(tonumber(name, 16)) end
    return NAMED[mark .. name]
  end))
end

-- What stands in a tag's attribute.
local function attribute(tag, name)
  return tag:match("[%s\"']" .. name .. '%s*=%s*"([^"]*)"') or tag:match("[%s\"']" .. name .. "%s*=%s*'([^']*)'")
end

local function is_history(tag)
  local what = tag:lower()
  for _, mark in ipairs(HISTORY) do
    if what:find(mark, 1, true) then return true end
  end
  return false
end

local function tidy(text)
  text = text:gsub("\194\160", " "):gsub("[ \t]+", " "):gsub(" ?\n ?", "\n"):gsub("\n\n\n+", "\n\n")
  return (text:gsub("^%s+", ""):gsub("%s+$", ""))
end

local function on_tag(out, tag, slash, name, links)
  if BLOCK[name] then out[#out + 1] = "\n" end
  if name == "li" and slash == "" then out[#out + 1] = "- " end
  if name == "td" or name == "th" then out[#out + 1] = " " end
  if name == "img" then
    local alt = attribute(tag, "alt")
    if alt and alt ~= "" then out[#out + 1] = "[" .. M.entities(alt) .. "]" end
  elseif name == "a" and slash == "" then
    links[#links + 1] = { href = M.entities(attribute(tag, "href") or ""), from = #out + 1 }
  elseif name == "a" and #links > 0 then
    local link = table.remove(links)
    local text = table.concat(out, "", link.from, #out)
    local href = link.href
    if href:find "^https?://" and not text:find(href, 1, true) then out[#out + 1] = " (" .. href .. ")" end
  end
end

-- keep: with what is quoted.
function M.text(html, keep)
  local out, links, at, skipped, quoted = {}, {}, 1, nil, 0
  if #html > MOST then html = html:sub(1, MOST) end
  local said, tags = false, 0
  while at <= #html and tags < TAGS do
    tags = tags + 1
    local open = html:find("<", at, true)
    local piece = html:sub(at, (open or #html + 1) - 1)
    if piece ~= "" and not skipped and quoted == 0 then
      said = said or piece:find "[^%s]" ~= nil
      out[#out + 1] = M.entities((piece:gsub("%s+", " ")))
    end
    if not open then break end
    local slash, name = html:match("^<(/?)(%a[%w:]*)", open)
    local close
    if html:sub(open, open + 3) == "<!--" then
      close = select(2, html:find("-->", open + 4, true)) or #html
    elseif name or html:find("^<[!?/]", open) then
      close = html:find(">", open, true) or #html
      if html:byte(close) ~= 62 then break end -- cut in a tag
    end
    if name then
      name = name:lower()
      local tag = html:sub(open, math.min(close or open, open + 2000))
      if skipped then
        if slash == "/" and name == skipped then skipped = nil end
      elseif SKIPPED[name] then
        if slash == "" and not tag:find "/>$" then skipped = name end
      elseif name == "blockquote" and not keep then
        quoted = math.max(0, quoted + (slash == "" and 1 or -1))
      elseif quoted == 0 then
        if not keep and said and slash == "" and is_history(tag) then break end
        on_tag(out, tag, slash, name, links)
      end
    elseif not close and not skipped and quoted == 0 then
      out[#out + 1] = "<"
    end
    at = (close or open) + 1
  end
  local text = tidy(table.concat(out))
  if text == "" and not keep then return M.text(html, true) end -- nothing but a quote
  return text
end

return M
