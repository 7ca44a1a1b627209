# SPDX-License-Identifier: Apache-2.0
# The front door. `make help` lists it; the build itself is CMakeLists.txt.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

DATA ?= ./data
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# What a fresh Debian 12 lacks. (RUNLEVEL=1: the mail servers of the tests are
# installed, not started.) A name after a colon is a program that will do
# instead of the package (a newer node of your own, say).
PKGS_BUILD := gcc libc6-dev cmake ninja-build pkg-config libuv1-dev \
  libwslay-dev libsqlite3-dev libcurl4-openssl-dev libluajit-5.1-dev \
  libargon2-dev libssl-dev libprotobuf-c-dev \
  libicu-dev libxml2-dev libmagic-dev libgd-dev \
  protobuf-c-compiler libhttp-parser-dev libyajl-dev \
  ca-certificates nodejs:node npm:npm
PKGS_TEST := lua-check:luacheck universal-ctags clang:clang \
  libclang-rt-14-dev clang-format:clang-format sqlite3:sqlite3 chromium \
  fonts-noto-cjk util-linux clang-tidy:clang-tidy \
  openssl dovecot-imapd dovecot-lmtpd exim4-daemon-light mold:mold

# need(packages): installs what is missing; asks no network if nothing is.
define need
@missing=; for p in $(1); do \
  pkg=$${p%%:*}; tool=$${p#*:}; \
  [ "$$tool" != "$$p" ] && command -v "$$tool" >/dev/null && continue; \
  dpkg-query -W -f '$${Status}' "$$pkg" 2>/dev/null | \
    grep -q '^install ok installed' || missing="$$missing $$pkg"; \
done; \
if [ -n "$$missing" ]; then \
  echo "installing:$$missing"; \
  $(SUDO) apt-get update -qq && \
  $(SUDO) env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq \
    --no-install-recommends $$missing >/dev/null; \
fi
endef
# On a terminal ninja shows how far it is; elsewhere it is silent.
NINJA := $(shell [ -t 2 ] || echo -- --quiet)

.PHONY: help run test check check-all bench fmt lint layers tsan cover docs \
  reference longest hooks deps deps-test release dev web clean

help: ## this list
	@grep -hE '^[a-z][a-z%-]*:.*##' $(MAKEFILE_LIST) | \
	  sed -E 's/:[^#]*##/\t/' | expand -t 14

# --- for people who want to use it -------------------------------------------
run: deps web release ## install what is missing, build, start on ./data; DEMO=1: with simulated platforms
ifdef DEMO
	@exec node tests/sim-platforms/main.mjs demo --program build/yuelai \
	  --data $(if $(filter ./data,$(DATA)),./data-demo,$(DATA))
else
	@exec build/yuelai serve --data $(DATA)
endif

deps: ; $(call need,$(PKGS_BUILD)) ## install what building needs
deps-test: ; $(call need,$(PKGS_BUILD) $(PKGS_TEST))

# configure(preset): once; later changes are seen by the build itself.
configure = @[ -f build/$(1)/build.ninja ] || cmake --preset $(1) >/dev/null
release: ## build/yuelai
	$(call configure,release)
	@cmake --build build/release $(NINJA)

dev: ## build/dev: ASan, UBSan, warnings as errors
	$(call configure,dev)
	@cmake --build build/dev $(NINJA)

WEB_SRC := $(shell find web -type f -not -path '*/node_modules/*' \
  -not -path '*/dist/*' -not -path '*/test/*' 2>/dev/null)
build/web.stamp: $(WEB_SRC) web/node_modules/.ready
	@cd web && npm run -s build
	@mkdir -p build && touch $@
web/node_modules/.ready: web/package-lock.json
	@cd web && npm ci --silent --no-audit --no-fund && touch node_modules/.ready
web: build/web.stamp ## web/dist: widget, chat page, console, demo

# --- for people who change it ------------------------------------------------
check: deps-test dev ## the developer's minute
	@tests/run format layers headers docs lint unit lua author sim smoke

# What the tests need is fetched while the program people run is built.
test: deps ## everything
	@$(MAKE) -j3 release web deps-test
	@$(MAKE) dev build-tsan
	@tests/run format layers headers docs lint unit lua author sim it fuzz talk \
	  talk_release sims tsan web e2e e2e_real

check-all: test bench ## everything, and the figures

bench: deps release ## the benchmark table, as text and build/bench.json
	@cmake --build build/release --target yuelai-bench $(NINJA)
	@build/release/yuelai-bench --program build/yuelai --home . \
	  --json build/bench.json --markdown build/bench.md \
	  $(if $(ROWS),--rows $(ROWS)) $(BENCH)

fmt: ## write the format
	@git ls-files -co --exclude-standard -- 'core/*.[ch]' 'tests/*.[ch]' | \
	  xargs -r clang-format -i

lint: deps-test dev ## luacheck, clang-tidy
	@tests/run lint
	@git ls-files -- 'core/*.c' | \
	  xargs -r -P 2 -n 4 clang-tidy --quiet -p build/dev 2>/dev/null

layers: ## the include table and the size limits
	@tests/layers

build-tsan:
	$(call configure,tsan)
	@cmake --build build/tsan $(NINJA)
tsan: deps-test build-tsan ## unit, it and talks under ThreadSanitizer
	@tests/run tsan

fuzz-%: deps-test ## fuzz one parser for FUZZ_S seconds (60): make fuzz-http
	$(call configure,fuzz)
	@cmake --build build/fuzz --target fuzz_$* $(NINJA)
	@mkdir -p tests/fuzz/corpus/$* build/fuzz/found/$*
	@build/fuzz/tests/fuzz/fuzz_$* -max_total_time=$(or $(FUZZ_S),60) \
	  -max_len=70000 -artifact_prefix=build/fuzz/found/$*/crash- \
	  build/fuzz/found/$* tests/fuzz/corpus/$* \
	  $(wildcard tests/fuzz/regression/$*)

cover: deps-test ## lines covered by unit, sim and it, per file
	$(call configure,cover)
	@cmake --build build/cover $(NINJA)
	@find build/cover -name '*.gcda' -delete
	@for t in build/cover/tests/{unit,sim,it}/*; do \
	  [ -x $$t ] && YUELAI=$$PWD/build/cover/yuelai $$t >/dev/null 2>&1; done; true
	@find $$PWD/build/cover -name '*.gcda' | (cd build/cover && xargs gcov -n -r \
	  -s $$PWD/../.. 2>/dev/null) | awk '/^File/ { f = $$2 } \
	  /^Lines executed/ && f ~ /core\// { gsub(/.*core\//, "core/", f); \
	  sub(/\047.*/, "", f); split($$0, p, /[:%]/); print p[2] "%\t" f; f = "" }' | \
	  sort -n

docs: ## every link in the documents leads somewhere
	@tests/docs

reference: dev ## write docs/author/api, scripts/types, .luacheckrc anew
	@build/dev/yuelai api --out .

new-channel: release ## make new-channel NAME=x: a start of your own channel
	@build/yuelai new channel $(NAME) --home .

longest: ## the longest functions and files
	@tests/layers --longest 20

hooks: ## format and layers before each commit (10 s)
	@git config core.hooksPath .githooks && echo "hooks are on"

clean: ## forget what was built (data stays)
	@rm -rf build web/dist
