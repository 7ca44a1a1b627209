-- An answer as a mail: in the customer's thread, as text and simple HTML.
local kv, crypto, mime = require "kv", require "crypto", require "mime"
local shared = require "lib.channels"
local access, read = require "channels.email.access", require "channels.email.read"

local M = {}

local function escape(text)
  return (text:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;"):gsub('"', "&quot;"))
end

function M.html(text)
  local body = escape(text):gsub("(https?://[^%s\"'%)%]>]+)", function(link)
    local rest = link:match "&gt;.*$" or link:match "[%.,;:!%?]+$" or ""
    link = link:sub(1, #link - #rest)
    return ('<a href="%s">%s</a>%s'):format(link, link, rest)
  end)
  return '<div style="font-family:sans-serif;font-size:14px;line-height:1.6">' .. body:gsub("\r?\n", "<br>\r\n")
    .. "</div>"
end

local function signed(text, config)
  if not shared.given(config.signature) then return text end
  return text .. "\n\n-- \n" .. config.signature:gsub("\\n", "\n")
end

-- The same at each try, and nobody else can guess it.
local function id_of(item, ctx)
  local domain = access.domain_of(ctx.config.address)
  local hidden = crypto.hmac("sha256", access.own_secret(ctx.config), ctx.channel.id .. ":" .. item.id)
  return ("%s.%s@%s"):format(item.id:gsub("[^%w]", ""):sub(1, 40), hidden:sub(1, 24), domain)
end

local function subject_of(thread, config)
  if thread.subject and thread.subject ~= "" then return "Re: " .. thread.subject end
  local name = shared.given(config.name) and config.name or config.address
  return ("来自 %s 的回复 / A reply from %s"):format(name, name)
end

-- The file of an item as attachments; nil and what stands in the way.
function M.attached(item, ctx)
  local bytes, code, why = ctx.file_body(item.file)
  if bytes then return { { name = item.file.name, type = item.file.mime, bytes = bytes } } end
  if shared.LATER[code] then return nil, { retry = 10, why = why or code } end
  return nil, { failed = code == "too_large" and "too_large" or "no_file", why = why or code }
end

-- The mail's bytes, its id and whom it goes to; nil, why.
function M.mail(item, text, ctx, attachments)
  local config = ctx.config
  local thread = kv.get(read.thread_key(ctx, item.to)) or {}
  local references = thread.references or {}
  if thread.id then references[#references + 1] = thread.id end
  local to = thread.reply or item.to
  local headers = { ["X-Yuelai-Channel"] = ctx.channel.id }
  if item.sender and item.sender.role == "bot" then
    headers["Auto-Submitted"] = "auto-replied"
    headers["X-Auto-Response-Suppress"] = "All"
  end
  text = signed(text, config)
  local bytes, id, why = mime.build { message_id = id_of(item, ctx), subject = subject_of(thread, config),
    from = { address = config.address, name = shared.given(config.name) and config.name or nil },
    to = { address = to, name = thread.name }, text = text, html = M.html(text), in_reply_to = thread.id,
    references = #references > 0 and references or nil, headers = headers, attachments = attachments }
  if not bytes then return nil, why or id, id end
  return bytes, id, to
end

-- What the mail server said, as the outbox wants it; nil: the mail is on its way.
function M.trouble(said, code, why)
  if not said then
    if code == "bad_request" then return { failed = "bad_address", why = why } end
    if code == "unauthorized" then
      return { retry = 300, why = "发信服务器不接受登录名和密码 / the mail server refuses the log-in: " .. tostring(why) }
    end
    return { retry = 10, why = why or code }
  end
  if said.ok then return nil end
  local words = ("%d %s"):format(said.status, said.text)
  if said.status < 500 then return { retry = said.status == 421 and 120 or 60, why = words } end
  local class = said.text:match "^5%.(%d+)%.%d+" or ""
  local failed = said.status == 552 and "too_large" or class == "1" and "no_recipient"
    or class == "2" and "mailbox_full"
    or class == "7" and "refused" or said.status == 550 and "no_recipient" or "refused"
  return { failed = failed, why = words }
end

return M
