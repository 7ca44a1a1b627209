-- The sandbox's border, as the linter sees it: what a script may name. The
-- functions the sandbox takes away are taken away here too (docs/author).
std = "lua51"
max_line_length = 120
unused_args = false
-- scripts/types declares what the core provides; it is never run.
exclude_files = { "build", "data", "web/node_modules", "web/dist", "scripts/types" }
not_globals = {
  "collectgarbage", "debug", "dofile", "gcinfo", "getfenv", "io", "load",
  "loadfile", "loadstring", "module", "newproxy", "package", "rawlen",
  "setfenv", "string.dump", "os.execute", "os.exit", "os.getenv", "os.remove",
  "os.rename", "os.setlocale", "os.tmpname",
}
read_globals = { "bit", "agents", "http", "json", "kv", "log", "sleep", "time" }
allow_defined = false

local tests = { read_globals = { "describe", "it", "before", "after" } }
files["**/*_test.lua"] = tests
files["tests/lua"] = tests
