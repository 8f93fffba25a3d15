# SPDX-License-Identifier: Apache-2.0
#
# One build file. `make` builds the debug binaries with ASan and UBSan,
# `make RELEASE=1` the hardened, optimised ones. `make help` lists the rest.

CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
CLANG   ?= clang
PYTHON  := /usr/bin/python3
VERSION := 0.1.0

MODE    := $(if $(RELEASE),release,debug)
B       := build/$(MODE)

# Layers in link order, highest first. tools/check-layers holds the rule.
LAYERS  := role analyze deliver ipc store net conf smtp policy wire base
PKGS        := libevent_core openssl libunbound ldns libcurl sqlite3 jansson \
               libconfuse libidn2 zlib opendkim gmime-3.0

CPPFLAGS += -D_GNU_SOURCE -Isrc -DSP_VERSION='"$(VERSION)"' -MMD -MP \
            $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I \
            gmime-3.0 2>/dev/null))
WARN     := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wformat=2 -Wvla -Wswitch-enum -Wundef \
            -Wpointer-arith -Wwrite-strings -Werror
ifdef RELEASE
MODEFLAGS := -O2 -g -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fPIE \
             -fstack-clash-protection -fcf-protection \
             -ftrivial-auto-var-init=zero
LDMODE    := -pie -Wl,-z,relro,-z,now
else
SANITIZE  := -fsanitize=address,undefined -fno-sanitize-recover=undefined
MODEFLAGS := -O1 -g3 -fno-omit-frame-pointer $(SANITIZE)
LDMODE    := $(SANITIZE)
endif
CFLAGS    += -std=c17 $(WARN) $(MODEFLAGS)
LDLIBS    := -Wl,--as-needed $(shell pkg-config --libs $(PKGS) 2>/dev/null)

# Sources by wildcard: a new file needs no line here.
srcs       = $(wildcard src/$(1)/*.c) $(if $(filter role,$(1)),$(wildcard src/role/*/*.c))
objs       = $(patsubst src/%.c,$(B)/obj/%.o,$(call srcs,$(1)))
lib        = $(B)/lib/sp_$(1).a
LIBS       := $(foreach l,$(LAYERS),$(call lib,$(l)))
CMDS       := sealpostd sealpost
CMD_COMMON := $(filter-out $(CMDS:%=src/cmd/%.c),$(wildcard src/cmd/*.c))
BINS       := $(CMDS:%=$(B)/%)

# What a unit test of a layer may link: its own layer and those below it.
below      = $(call lib,$(1)) $(foreach l,$(DEPS_$(1)),$(call lib,$(l)))
DEPS_base    :=
DEPS_wire    := base
DEPS_policy  := wire base
DEPS_smtp    := wire base
DEPS_conf    := wire base
DEPS_net     := wire base
DEPS_store   := wire base
DEPS_ipc     := net wire base
DEPS_deliver := net conf smtp policy wire base
DEPS_analyze := deliver store net conf smtp policy wire base
DEPS_role    := analyze deliver ipc store net conf smtp policy wire base
DEPS_cmd     := $(LAYERS)

UNIT_SRC   := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN   := $(UNIT_SRC:tests/%.c=$(B)/%)
FUZZ_SRC   := $(wildcard tests/fuzz/fuzz_*.c)
REPLAY_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/replay/%)

.PHONY: all help clean deps check check-unit check-corpus check-layers \
        check-style check-format check-tidy check-scenario check-guard \
        check-long check-man check-interop demo lab fuzz install FORCE
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

all: $(BINS) build/sealpostd build/sealpost compile_commands.json

help:
	@sed -n 's/^#: //p' Makefile

build/sealpostd build/sealpost: build/%: FORCE | $(B)/%
	@ln -sfn $(MODE)/$* $@

define layer_rule
.PHONY: lib-$(1)
lib-$(1): $(call lib,$(1))
$(call lib,$(1)): $(call objs,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)ar rcs $$@ $$^
endef
Q := $(if $(V),,@)
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

# What the commands share besides their main(): only their tests need it.
.PHONY: lib-cmd
lib-cmd: $(call lib,cmd)
$(call lib,cmd): $(CMD_COMMON:src/%.c=$(B)/obj/%.o)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/sealpost: $(CMD_COMMON:src/%.c=$(B)/obj/%.o)
$(BINS): $(B)/%: $(B)/obj/cmd/%.o $(LIBS)
	@echo "  LD $@"
	$(Q)$(CC) $(LDMODE) $(LDFLAGS) -o $@ $(filter %.o,$^) \
	    -Wl,--start-group $(LIBS) -Wl,--end-group $(LDLIBS)

.SECONDEXPANSION:
$(B)/obj/tests/%.o: tests/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -c -o $@ $<

$(B)/unit/%: $(B)/obj/tests/unit/%.o $$(call below,$$(firstword $$(subst /, ,$$*)))
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(LDMODE) $(LDFLAGS) -o $@ $< -Wl,--start-group \
	    $(filter %.a,$^) -Wl,--end-group -lcmocka $(LDLIBS)

# For tools/fuzz: the layers below one.
print-below-%:
	@echo $(DEPS_$*)

# A fuzz target names its layer in its first lines: layer: wire
fuzzlayer = $(shell sed -n '1,12s/.*layer: *\([a-z]*\).*/\1/p' tests/fuzz/$(1).c)
$(B)/replay/%: $(B)/obj/tests/fuzz/%.o $(B)/obj/tests/fuzz/replay.o \
		$$(call below,$$(call fuzzlayer,$$*))
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(LDMODE) $(LDFLAGS) -o $@ $(filter %.o,$^) \
	    -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

COMPILED := $(foreach l,$(LAYERS) cmd,$(call srcs,$(l))) $(UNIT_SRC) $(FUZZ_SRC)
compile_commands.json: tools/compile-commands Makefile $(COMPILED)
	$(Q)tools/compile-commands $(CC) $(CPPFLAGS) -Itests $(CFLAGS) -- \
	    $(filter %.c,$^) > $@

#: make               debug build with ASan and UBSan (build/sealpostd, build/sealpost)
#: make RELEASE=1     hardened, optimised build
#: make deps          install the Debian packages that are missing
#: make check         every test that a commit must pass (does its own set-up)
check: tools/run-check
	@tools/run-check

#: make check-unit    the unit tests (T=wire/test_tlsa for one of them)
check-unit: $(if $(T),$(B)/unit/$(T),$(UNIT_BIN))
	@tools/run-unit $^

.PHONY: build-unit build-corpus
build-unit: $(UNIT_BIN)
build-corpus: $(REPLAY_BIN)

# Manual pages that come from tables of the code. A generator names its layer
# as fuzz targets do.
GEN_MAN  := doc/man/sealpost.conf.5 doc/man/sealpost-codes.7
genlayer  = $(shell sed -n '1,12s/.*layer: *\([a-z]*\).*/\1/p' doc/gen/$(1).c)
$(B)/obj/doc/gen/%.o: doc/gen/%.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/gen/%: $(B)/obj/doc/gen/%.o $$(call below,$$(call genlayer,$$*))
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(LDMODE) $(LDFLAGS) -o $@ $< -Wl,--start-group \
	    $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

#: make man           write the manual pages that come from tables
.PHONY: man
man: $(B)/gen/conf_man $(B)/gen/codes_man
	$(B)/gen/conf_man > doc/man/sealpost.conf.5
	$(B)/gen/codes_man > doc/man/sealpost-codes.7

#: make check-corpus  replay of the fuzz targets' corpora
check-corpus: $(REPLAY_BIN)
	@tools/run-corpus $^

#: make check-layers  who may include whom
check-layers:
	@tools/check-layers

#: make check-style   banned functions, file and function length, complexity
check-style:
	@tools/check-style

#: make check-format  clang-format has nothing to change
check-format:
	@tools/check-format

#: make check-tidy    clang-tidy over the sources (ARGS=--changed: fewer)
check-tidy: compile_commands.json
	@tools/check-tidy $(ARGS)

#: make check-man     mandoc's lint over the manual pages
check-man: $(B)/gen/conf_man $(B)/gen/codes_man
	@$(B)/gen/conf_man | cmp - doc/man/sealpost.conf.5 && \
	    $(B)/gen/codes_man | cmp - doc/man/sealpost-codes.7 || \
	    { echo "man: run 'make man' and commit the pages" >&2; exit 1; }
	@tools/check-man

#: make check-scenario  the scenarios in their own namespace (ARGS=... for pytest)
check-scenario: all
	@tests/scenario/run $(ARGS)

#: make check-guard   what a message costs, against limits (ARGS=--show)
check-guard:
	@$(MAKE) --no-print-directory RELEASE=1 build/release/sealpostd \
	    build/release/sealpost
	@tests/guard/run $(ARGS)

#: make check-interop real servers unpacked from Debian packages
check-interop: all
	@tests/interop/run $(ARGS)

# The measuring instruments: always optimised, from base/ and their own files.
BENCH_BIN := $(addprefix build/bench/,sink inject floor)
$(BENCH_BIN): build/bench/%: tests/bench/%.c tests/bench/plumbing.c \
		$(wildcard tests/bench/*.h src/base/*.[ch]) Makefile
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) -D_GNU_SOURCE -Isrc -Itests -std=c17 $(WARN) -O2 -g -o $@ $< \
	    tests/bench/plumbing.c $(wildcard src/base/*.c) -lssl -lcrypto

#: make bench         speed beside Postfix's (ARGS=... for tests/bench/run)
.PHONY: bench
bench:
	@tools/deps demo build
	@$(MAKE) --no-print-directory $(BENCH_BIN)
	@$(MAKE) --no-print-directory RELEASE=1 build/release/sealpostd \
	    build/release/sealpost
	@$(PYTHON) -m tests.support.debian postfix unbound
	@tests/bench/run $(ARGS)

#: make check-long    the slow campaigns: 200 kills, 10,000 messages, fuzzing
check-long: tools/run-check-long
	@tools/run-check-long

#: make demo          the whole thing at work in a private network: one command
demo:
	@tools/demo

#: make lab           the same world with a shell in it
lab:
	@tools/demo --shell

deps:
	@tools/deps

#: make fuzz T=name   libFuzzer on tests/fuzz/fuzz_name.c (FUZZ_SECONDS=120)
FUZZ_SECONDS ?= 120
fuzz:
	@tools/fuzz '$(T)' '$(FUZZ_SECONDS)'

PREFIX ?= /usr/local
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/bin \
	    $(DESTDIR)$(PREFIX)/share/man/man1 \
	    $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man7 \
	    $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	install -m 755 $(B)/sealpostd $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(B)/sealpost $(DESTDIR)$(PREFIX)/bin/
	ln -sf ../bin/sealpost $(DESTDIR)$(PREFIX)/sbin/sealpost-sendmail
	$(B)/sealpost completion bash \
	    > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sealpost
	$(B)/sealpost completion zsh \
	    > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_sealpost
	for m in $(wildcard doc/man/*.[1-8]); do \
	    install -m 644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/; done

clean:
	rm -rf build/debug build/release build/sealpost build/sealpostd \
	    compile_commands.json

FORCE:

-include $(shell find build/$(MODE)/obj -name '*.d' 2>/dev/null)
