-- Small things about texts that WeChat's channels share.
local M = {}

-- Those that are texts and not empty, with blanks between.
function M.join(...)
  local list = {}
  for i = 1, select("#", ...) do
    local word = select(i, ...)
    if type(word) == "string" and word ~= "" then list[#list + 1] = word end
  end
  return table.concat(list, " ")
end

-- Pieces of at most so many bytes, never through a character.
function M.pieces(text, most)
  local list = {}
  while #text > most do
    local cut = most
    while cut > 1 and text:byte(cut + 1) >= 128 and text:byte(cut + 1) < 192 do cut = cut - 1 end
    list[#list + 1], text = text:sub(1, cut), text:sub(cut + 1)
  end
  list[#list + 1] = text
  return list
end

return M
