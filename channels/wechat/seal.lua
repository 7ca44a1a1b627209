-- What WeChat and WeCom sign and seal: sorted texts under SHA-1, AES-256-CBC
-- whose key begins with its own initialisation vector.
local crypto, secret = require "crypto", require "secret"

local M = {}

function M.is_signed(theirs, token, ...)
  return type(theirs) == "string" and crypto.equal(crypto.sha1(secret.sorted(token, ...)), theirs)
end

-- What is sealed under a key: random(16) length(4) message owner; nil and why not.
function M.open(hidden, sealed, owner)
  local key = crypto.base64_decode(secret.join(hidden, "="))
  local bytes = crypto.base64_decode(sealed)
  if not key or #key ~= 32 then return nil, "the EncodingAESKey is not 43 characters of base64" end
  if not bytes then return nil, "Encrypt is not base64" end
  local full = crypto.aes_cbc_decrypt(key, key:sub(1, 16), bytes, { block = 32 })
  if not full or #full < 20 then return nil, "it was sealed under another EncodingAESKey" end
  local a, b, c, d = full:byte(17, 20)
  local length = ((a * 256 + b) * 256 + c) * 256 + d
  if 20 + length > #full then return nil, "its length is wrong" end
  if full:sub(21 + length) ~= owner then return nil, "it is for another account (-40005)" end
  return full:sub(21, 20 + length)
end

return M
