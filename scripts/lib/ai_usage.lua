-- What an answer cost: the provider's own numbers, and a price list from the
-- settings. One line (or part before a semicolon) a model, prices for a million
-- tokens:
--
--     deepseek-chat in=2 cached=0.5 out=3 CNY; * in=5 out=20 CNY
--
-- `in` and `out`; `cached` for input that the provider had kept (else as in);
-- `written` for input it keeps from now on (else as in); a currency, CNY if none
-- is said. A model's name may end in a star; the first that fits counts.
local json = require "json"

local M = {}

local KEYS = { ["in"] = "input", out = "output", cached = "cached", written = "written" }

local function price_of(line)
  local price
  for word in line:gmatch "%S+" do
    local key, number = word:match "^(%a+)=(.+)$"
    if not price then
      if key then return nil, "the line does not begin with a model: " .. line end
      price = { model = word, currency = "CNY" }
    elseif key then
      number = tonumber(number)
      if not KEYS[key] or not number or number < 0 or number ~= number or number > 1e9 then
        return nil, "not a price: " .. word
      end
      price[KEYS[key]] = number
    elseif word:match "^%u%u%u$" then
      price.currency = word
    else
      return nil, "neither a price nor a currency: " .. word
    end
  end
  if not price.input or not price.output then return nil, "in= and out= are both needed: " .. line end
  return price
end

-- The list; nil and a sentence for a line that is none.
function M.prices(text)
  local list = {}
  for line in (text or ""):gmatch "[^;\r\n]+" do
    if line:find "%S" and not line:find "^%s*#" then
      local price, why = price_of(line)
      if not price then return nil, why end
      list[#list + 1] = price
    end
  end
  return list
end

local function fits(model, name)
  if name:sub(-1) == "*" then return model:sub(1, #name - 1) == name:sub(1, -2) end
  return model == name
end

-- In the price's currency, to nine places; input is all of it, cached and
-- written are parts of it.
function M.cost(price, usage)
  local cached, written = usage.cached or 0, usage.written or 0
  local plain = usage.input - cached - written
  local sum = plain * price.input + cached * (price.cached or price.input)
    + written * (price.written or price.input) + usage.output * price.output
  return math.floor(sum * 1000 + 0.5) / 1e9
end

-- A count as a provider says it: a whole number, not below nothing; else nil.
function M.count(value)
  if type(value) ~= "number" or value < 0 or value > 2 ^ 53 or value % 1 ~= 0 then return nil end
  return value
end

-- Tells ctx.usage what was reported: { input, output, cached?, written?, cost?,
-- currency? }. Without both counts nothing is told: no number is made up.
function M.tell(ctx, said, model)
  local input, output = M.count(said.input), M.count(said.output)
  if not input or not output then return false end
  local usage = { input = input, output = output, cached = M.count(said.cached) }
  local cost = said.cost ~= json.null and tonumber(said.cost) or nil
  if cost and cost >= 0 and cost < 1e12 then
    usage.cost, usage.currency = cost, type(said.currency) == "string" and said.currency or nil
  else
    local written = M.count(said.written)
    for _, price in ipairs(M.prices(ctx.config.prices) or {}) do
      if fits(model or "", price.model) then
        if (usage.cached or 0) + (written or 0) > input then break end
        usage.cost = M.cost(price, { input = input, output = output, cached = usage.cached, written = written })
        usage.currency = price.currency
        break
      end
    end
  end
  ctx.usage(usage)
  return true
end

return M
