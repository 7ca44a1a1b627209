-- SPDX-License-Identifier: Apache-2.0
-- The script API for editors (LuaLS). Never run. The reference with examples
-- is docs/author/api.md.
---@meta

---A decision: what ends the round. Return it, or `true`; nothing passes on.
---@alias Decision true
---@alias Duration string "500ms" "30s" "10m" "2h" "7d"
---@alias Kind "text"|"image"|"file"|"audio"|"video"|"location"|"card"
---@alias State "bot"|"queued"|"open"|"snoozed"|"closed"

---What a file below scripts/rules or scripts/flows returns.
---@class Rule
---@field api 1
---@field priority? integer low ones first; default: the number in the file's name, else 50
---@field match? Match data, asked without Lua; nothing = every visitor's message
---@field every? Duration runs on_timer(nil, "every") that often
---@field on_message? fun(conv: Conv, msg: Msg): Decision?
---@field on_conversation? fun(conv: Conv, what: "created"|"assigned"|"closed"): Decision?
---@field on_timer? fun(conv: Conv?, name: string, data: any): Decision?

---@class Match
---@field kind? Kind|Kind[]
---@field channel? string|string[] its id or its type
---@field tier? string|string[] the contact's
---@field state? State|State[]
---@field holder? "bot"|"agent"
---@field text? string|string[] any of the words, anywhere, case folded
---@field first? boolean the first message of the conversation

---@class Contact
---@field id string
---@field user_id? string
---@field name? string
---@field email? string
---@field phone? string
---@field tier? string
---@field tags string[]
---@field attributes table<string, any>

---@class Conv
---@field id string
---@field state State
---@field channel { id: string, type: string }
---@field assignee? string agent's id
---@field team? string team's id
---@field priority integer
---@field tags string[]
---@field attributes table<string, any>
---@field contact Contact
---@field last_seq integer
---@field unread integer
---@field created_at integer ms since 1970
local Conv = {}
---Says something as the bot.
---@param message string|{ kind: Kind, text?: string }
function Conv:reply(message) end
---A private note for agents.
---@param text string
function Conv:note(text) end
---@param to { agent?: string, team?: string, queue?: boolean, pick?: "least_busy"|"round_robin", note?: string }
---@return Decision? decision, string? code, string? detail
function Conv:assign(to) end
---@return Decision
function Conv:queue() end
---@return Decision
function Conv:close() end
---@param time Duration
---@return Decision
function Conv:snooze(time) end
---@param tag string
function Conv:tag(tag) end
---@param tag string
function Conv:untag(tag) end
---@param tag string
---@return boolean
function Conv:has_tag(tag) end
---@param n integer 0 is normal, higher comes first
function Conv:set_priority(n) end
---Remembers a value with the conversation; nil forgets.
---@param name string
---@param value any
function Conv:set(name, value) end
---@param name string
---@return any
function Conv:get(name) end
---A durable alarm: on_timer(conv, name, data) then.
---@param time Duration
---@param name string
---@param data? any
function Conv:after(time, name, data) end

---@class Msg
---@field id string
---@field seq integer
---@field kind Kind
---@field text string "" where there is none
---@field at integer ms since 1970
---@field sender { role: string, id: string, name?: string }
---@field [string] any the other fields of its kind

---@class Agent
---@field id string
---@field name string
---@field email string
---@field status "online"|"busy"|"away"|"offline"
---@field load integer
---@field max_load integer
---@field skills string[]

agents = {}
---@return Agent[]
function agents.online() end
---@param who { id?: string, email?: string, name?: string }
---@return Agent?
function agents.find(who) end
---@return { id: string, name: string, members: string[] }[]
function agents.teams() end

kv = {}
---Waits. nil if there is none.
---@param key string
---@return any value, string? code, string? detail
function kv.get(key) end
---@param key string
---@param value any nil deletes
---@param ttl? Duration
function kv.set(key, value, ttl) end
---@param key string
function kv.del(key) end

---@class HttpCall
---@field url? string or the first entry of the table
---@field method? string
---@field query? table<string, string|number>
---@field headers? table<string, string>
---@field body? string
---@field json? any
---@field timeout? Duration at most "30s"

---@class HttpAnswer
---@field status integer
---@field headers table<string, string> names in lower case
---@field body string
---@field json any nil if the body is not JSON

http = {}
---Waits.
---@param call string|HttpCall
---@return HttpAnswer? answer, string? code, string? detail
function http.get(call) end
---@param call string|HttpCall
---@return HttpAnswer? answer, string? code, string? detail
function http.post(call) end
---@param call HttpCall
---@return HttpAnswer? answer, string? code, string? detail
function http.request(call) end

log = {}
function log.info(...) end
function log.warn(...) end
function log.error(...) end

json = {}
json.null = nil ---@type lightuserdata
---@param value any
---@return string
function json.encode(value) end
---@param text string
---@return any value, string? code, string? detail
function json.decode(text) end
---Marks a table as a list, so that {} goes out as [].
---@generic T: table
---@param list? T
---@return T
function json.array(list) end

---@class Date
---@field year integer
---@field month integer
---@field day integer
---@field hour integer
---@field min integer
---@field sec integer
---@field wday integer 1 = Sunday
---@field yday integer
---@field offset integer seconds east of UTC

time = {}
---@return integer ms since 1970
function time.now() end
---@param zone? string "Europe/Berlin", "UTC", "+08:00"; default: the machine's
---@param at? integer ms; default: now
---@return Date
function time.date(zone, at) end
---@param at? integer ms; default: now
---@param format? string as strftime; default "%Y-%m-%d %H:%M:%S"
---@param zone? string
---@return string
function time.format(at, format, zone) end
---Is it between the two times of day? Over midnight if from is the later one.
---@param from string "09:00"
---@param to string "18:00", not included
---@param zone? string
---@return boolean
function time.is_between(from, to, zone) end
---@param duration Duration at most "30s"
function time.sleep(duration) end

---Waits; the same as time.sleep.
---@param duration Duration
function sleep(duration) end
