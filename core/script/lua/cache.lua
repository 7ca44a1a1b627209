-- SPDX-License-Identifier: Apache-2.0
-- cache.lua - a cache's once, over kv.lua's.
local _, calls, cache = ...

-- One makes it, for all who ask this script meanwhile; what is shared that way
-- has a JSON form, like everything in a cache.
function cache.once(self, key, make)
  calls.check("Cache.once", make)
  local value = cache.get(self, key)
  if value ~= nil then return value end
  local got, code, detail = calls.once(false, calls.cache_key(self, key), nil, make)
  if got == nil then return nil, code, detail end
  cache.set(self, key, got)
  return got
end
