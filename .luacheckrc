-- The sandbox's border, as the linter sees it: what a script may name. The
-- functions the sandbox takes away are taken away here too (docs/author).
std = "lua51"
max_line_length = 120
unused_args = false
exclude_files = { "build", "data", "web/node_modules", "web/dist" }
not_globals = {
  "collectgarbage", "debug", "dofile", "gcinfo", "getfenv", "io", "load",
  "loadfile", "loadstring", "module", "newproxy", "package", "rawlen",
  "setfenv", "string.dump", "os.execute", "os.exit", "os.getenv", "os.remove",
  "os.rename", "os.setlocale", "os.tmpname",
}
read_globals = { "bit" }
allow_defined = false

local tests = { read_globals = { "describe", "it", "before", "after" } }
files["**/*_test.lua"] = tests
files["tests/lua"] = tests
