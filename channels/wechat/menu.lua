-- The menu below an official account's conversation: the setting `menu`, as WeChat's
-- documents have it, set once for each of its versions.
local json, kv, crypto, time = require "json", require "kv", require "crypto", require "time"
local shared, api = require "lib.channels", require "channels.wechat.api"

local given, tab = shared.given, shared.tab

local AGAIN_MS = 600000 -- after WeChat has refused it

-- What a button of each type must have, and how many bytes WeChat takes of it.
local NEEDS = {
  click = { "key" }, scancode_push = { "key" }, scancode_waitmsg = { "key" }, pic_sysphoto = { "key" },
  pic_photo_or_album = { "key" }, pic_weixin = { "key" }, location_select = { "key" },
  view = { "url" }, miniprogram = { "url", "appid", "pagepath" },
  media_id = { "media_id" }, article_id = { "article_id" }, article_view_limited = { "article_id" },
}
local MOST = { key = 128, url = 1024 }

local M = {}

local function button_trouble(button, where, inside)
  local name, list = button.name, button.sub_button
  if not given(name) then return where .. "没有 name / has no name" end
  if #name > (inside and 60 or 16) then
    return where .. ("name 超过 %d 字节 / its name is over %d bytes"):format(inside and 60 or 16, inside and 60 or 16)
  end
  if not inside and type(list) == "table" and #list > 0 then
    if #list > 5 then return where .. "子菜单超过 5 个 / more than 5 below it" end
    for i, one in ipairs(list) do
      local why = button_trouble(tab(one), ("%s%d："):format(where, i), true)
      if why then return why end
    end
    return nil
  end
  local needs = NEEDS[button.type]
  if not needs then return where .. "type 不对 / there is no such type: " .. tostring(button.type) end
  for _, field in ipairs(needs) do
    if not given(button[field]) then return ("%s没有 %s / has no %s"):format(where, field, field) end
    if #button[field] > (MOST[field] or 1024) then return ("%s%s 太长 / %s is too long"):format(where, field, field) end
  end
end

-- The menu as a table: {"button": [...]}, or the list alone; nil and why it is none.
function M.read(text)
  local menu = json.decode(text)
  local list = type(menu) == "table" and (menu.button or menu)
  if type(list) ~= "table" or #list == 0 then return nil, "菜单不是 JSON 列表 / the menu is no list in JSON" end
  if #list > 3 then return nil, "一级菜单超过 3 个 / more than 3 buttons" end
  for i, one in ipairs(list) do
    local why = button_trouble(tab(one), ("%d："):format(i), false)
    if why then return nil, why end
  end
  return { button = list }
end

local function set(config, text)
  local menu, why = M.read(text)
  if not menu then return why end
  local answer, nobody = api.call(config, "/cgi-bin/menu/create", menu, "8s")
  local trouble = api.trouble_of(answer, nobody)
  return trouble and trouble.why
end

local function clear(config)
  local answer, nobody = api.get(config, "/cgi-bin/menu/delete", "8s")
  local trouble = api.trouble_of(answer, nobody)
  return trouble and trouble.why
end

local function key_of(ctx) return "menu:" .. ctx.channel.id end

-- For poll(): WeChat has the menu that the settings want; else why not, told once in a
-- while. Nothing is done while there never was one: WeChat's own console may have it.
function M.keep(ctx)
  local config = ctx.config
  local text, known = given(config.menu) and config.menu or nil, kv.get(key_of(ctx))
  if not config.secret or (not text and not known) then return nil end
  local version = text and crypto.sha256(config.appid .. "\n" .. text) or "none"
  if known and known.version == version and (not known.why or known.again > time.now()) then return nil end
  local why
  if text then why = set(config, text) else why = clear(config) end
  if why then kv.set(key_of(ctx), { version = version, why = why, again = time.now() + AGAIN_MS })
  elseif text then kv.set(key_of(ctx), { version = version })
  else kv.del(key_of(ctx)) end
  return why
end

-- What is wrong with it, for check().
function M.trouble(config, ctx)
  if not given(config.menu) then return nil end
  local _, why = M.read(config.menu)
  if why then return why end
  local known = ctx and ctx.channel and kv.get(key_of(ctx))
  local version = crypto.sha256(config.appid .. "\n" .. config.menu)
  return known and known.version == version and known.why or nil
end

return M
