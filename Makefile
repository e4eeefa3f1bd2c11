# SPDX-License-Identifier: BSD-2-Clause
# Bascule's only build file.  `make help` lists the targets.
#
#   BUILD=DIR       where everything is built          (build)
#   SAN=asan|tsan   sanitizer build, own build folder  (none)
#   SAN=fuzz        instrumented for libFuzzer, see tests/fuzz/run
#   WERROR=1        warnings are errors                (set by `check`)
#   V=1             show commands

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

CC       ?= cc
ifeq ($(origin CC),default)
CC       := gcc
endif
PREFIX   ?= /usr/local
DESTDIR  ?=
SAN      ?=
BUILD    ?= build$(if $(SAN),/$(SAN))
VERSION  := 0.1.0
JOBS     ?= $(shell nproc)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# ---- flags ------------------------------------------------------------------

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wundef \
            -Wformat=2 -Wimplicit-fallthrough $(if $(WERROR),-Werror)
HARDEN   := -fstack-protector-strong -fstack-clash-protection -fcf-protection \
            -fPIE
OPT      := -O2 -g -fno-omit-frame-pointer
CPPFLAGS := -D_GNU_SOURCE -I. -DBASCULE_VERSION='"$(VERSION)"'
LDFLAGS  := -pie -Wl,-z,relro,-z,now -Wl,--as-needed

# Sanitizers name functions and lines (-g1).  All that -g says beyond that costs a
# quarter of their compilers' time, and the usual linker as much again as a quicker
# one, where there is one.
LD_QUICK := $(if $(filter asan tsan,$(SAN)),$(firstword \
    $(foreach l,lld gold,$(if $(shell command -v ld.$(l)),-fuse-ld=$(l)))))

ifeq ($(SAN),asan)
OPT      := -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined \
            -fno-sanitize-recover=undefined
LDFLAGS  += -fsanitize=address,undefined $(LD_QUICK)
else ifeq ($(SAN),tsan)
# liburcu's grace periods are shown to the sanitizer by base/rcu.c.
CC       := clang
OPT      := -O1 -g1 -fno-omit-frame-pointer -fsanitize=thread
LDFLAGS  += -fsanitize=thread $(LD_QUICK)
# clang blames us for what the kernel's and libmnl's macros expand to
WARN     += -Wno-cast-qual -Wno-gnu-variable-sized-type-not-at-end
else ifeq ($(SAN),fuzz)
# Library and targets for libFuzzer; see tests/fuzz/run.
CC       := clang
OPT      := -O1 -g -fno-omit-frame-pointer \
            -fsanitize=fuzzer-no-link,address,undefined \
            -fno-sanitize-recover=undefined
else
CPPFLAGS += -D_FORTIFY_SOURCE=2
endif

# libev's header trips this one, through no fault of the including file.
CFLAGS   := -std=gnu11 $(OPT) $(HARDEN) $(WARN) -Wno-strict-aliasing
LIBS_D   := -lev -lurcu-qsbr -lurcu-common -ljansson -lmnl -lbpf -lyaml -lpcap -lpthread
LIBS_C   := -ljansson -lyaml -lmnl

# ---- what is built from what ------------------------------------------------

# Every .c of a folder belongs to it; nothing has to be listed here.
CORE_SRC   := $(wildcard base/*.c fdb/*.c ports/*.c switch/*.c switch/stp/*.c switch/snoop/*.c)
# ctl/: daemon.c is basculed's main, the rest of the folder its library.
# ctl/client/ is the client; it shares the command table and the paths, and
# how specifications are read and namespaces opened: it opens what netns=
# names and passes the descriptor, since the daemon opens nothing for it.
CTL_SRC    := $(filter-out ctl/daemon.c,$(wildcard ctl/*.c ctl/adopt/*.c ctl/apply/*.c ctl/config/*.c ctl/guest/*.c ctl/l3/*.c ctl/sim/*.c))
CLIENT_SRC := $(wildcard ctl/client/*.c)
SHARED_SRC := ctl/guest/def.c ctl/guest/check.c $(wildcard ctl/config/*.c ctl/sim/*.c switch/stp/*.c ctl/table.c ctl/sockpath.c ports/spec.c ports/specfile.c ports/netns.c) \
              $(filter-out base/rcu.c,$(wildcard base/*.c))

UNIT_SRC    := $(wildcard tests/unit/*_test.c)
TORTURE_SRC := $(wildcard tests/torture/*_torture.c)
FUZZ_SRC    := $(wildcard tests/fuzz/*_fuzz.c)
TOOL_SRC    := $(wildcard tests/tools/*.c)
TESTLIB_SRC := $(wildcard tests/lib/*.c)
BENCH_SRC   := $(wildcard bench/*_bench.c)
BTOOL_SRC   := $(wildcard bench/tools/*.c)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
exe = $(patsubst %.c,$(BUILD)/%,$(1))

LIB    := $(BUILD)/libbascule.a
UNIT   := $(call exe,$(UNIT_SRC))
TORT   := $(call exe,$(TORTURE_SRC))
REPLAY := $(patsubst %.c,$(BUILD)/%-replay,$(FUZZ_SRC))
TOOLS  := $(call exe,$(TOOL_SRC) $(BTOOL_SRC))
BENCH  := $(call exe,$(BENCH_SRC))

# Until a program has its main, the library under it is what can be built.
PROGRAMS := $(if $(wildcard ctl/daemon.c),$(BUILD)/basculed) \
            $(if $(CLIENT_SRC),$(BUILD)/bascule)

all: $(LIB) $(PROGRAMS)  ## build basculed and bascule

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The client's parts, too, are tested from the library.
$(LIB): $(call obj,$(CORE_SRC) $(CTL_SRC) $(filter-out %/main.c,$(CLIENT_SRC)))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/basculed: $(call obj,ctl/daemon.c) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_D)

$(BUILD)/bascule: $(call obj,$(CLIENT_SRC) $(SHARED_SRC))
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_C)

$(UNIT) $(TORT): $(BUILD)/%: $(BUILD)/%.o $(call obj,$(TESTLIB_SRC)) $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_D) -lcmocka

$(REPLAY): $(BUILD)/%-replay: $(BUILD)/%.o $(BUILD)/tests/fuzz/replay.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_D)

# `make SAN=fuzz NAME_fuzz-libfuzzer`
%_fuzz-libfuzzer: $(BUILD)/tests/fuzz/%_fuzz.o $(LIB)
	$(call say,LINK,$(BUILD)/tests/fuzz/$*_fuzz)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer,address,undefined \
	    -o $(BUILD)/tests/fuzz/$*_fuzz $^ $(LIBS_D)

$(TOOLS): $(BUILD)/%: $(BUILD)/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_D) -lm

$(BENCH): $(BUILD)/%: $(BUILD)/%.o $(LIB)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_D) -lurcu-cds -lm

# Not all of $(BUILD): the sanitizers' folders are in there, and another make may
# just be at work on them.
-include $(shell find $(patsubst %,$(BUILD)/%,base fdb ports switch ctl tests bench) \
    -name '*.d' 2>/dev/null)

unit: $(UNIT)
torture: $(TORT)
tools: $(TOOLS)
benches: $(BENCH) $(TOOLS) all
replays: $(REPLAY)

# ---- checks -----------------------------------------------------------------

check: deps  ## everything CI runs; prints each part's time (under 15 minutes)
	@tests/check

check-unit: $(UNIT) $(TORT) $(REPLAY)  ## unit and torture tests, fuzz corpora replayed
	@tests/run --build $(BUILD) unit

check-netns: all tools  ## tests on real devices in network namespaces (root)
	@tests/run --build $(BUILD) netns

check-guest: all tools  ## tests with real guests under QEMU (root)
	@tests/run --build $(BUILD) guest

check-asan:  ## unit tests under ASan and UBSan
	@$(MAKE) SAN=asan WERROR=$(WERROR) check-unit

check-tsan:  ## unit and torture tests under TSan
	@$(MAKE) SAN=tsan WERROR=$(WERROR) check-unit

build-asan build-tsan: build-%:
	@$(MAKE) SAN=$* WERROR=$(WERROR) unit torture replays

fuzz:  ## fuzz every target for FUZZ_SECONDS (60) with libFuzzer
	@tests/fuzz/run $(or $(FUZZ_SECONDS),60)

soak: all tools torture $(BUILD)/tests/unit/sim_test  ## long campaigns: SOAK_SECONDS (600) of torture, spanning trees and traffic
	@tests/soak $(BUILD) $(or $(SOAK_SECONDS),600)

bench: benches  ## all benchmarks with their peers (quiet machine, root)
	@bench/run $(BUILD)

lab: deps-lab all  ## the five-minute lab; KEEP=1 leaves it up, ROOTLESS=1 needs no root
	@BUILD='$(BUILD)' docs/lab/lab.sh $(if $(ROOTLESS),--rootless) $(if $(KEEP),--keep)

lab-vm: deps-lab-vm all  ## the lab with virtual machines; KEEP=1 leaves it up, FILE= another lab's file
	@BUILD='$(BUILD)' docs/lab/vm.sh $(if $(KEEP),--keep) $(FILE)

lint: layers  ## clang-tidy, cppcheck, SPDX lines; DEEP=1 looks longer
	@tools/lint

layers:  ## who includes whom
	@tools/layers

format:  ## format the whole tree
	@tools/format

format-check:  ## is the whole tree formatted?
	@tools/format --check

deps:  ## install what is missing from Debian
	@packaging/deps

deps-lab:
	@packaging/deps build tools

deps-lab-vm:
	@packaging/deps build tools machines

install: all  ## install to $(DESTDIR)$(PREFIX)
	@packaging/install '$(BUILD)' '$(DESTDIR)' '$(PREFIX)'

clean:  ## remove what was built
	rm -rf build

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: all unit torture tools benches replays check check-unit check-netns \
	check-guest check-asan check-tsan build-asan build-tsan fuzz soak bench lab lab-vm lint layers format format-check \
	deps deps-lab deps-lab-vm install clean help
