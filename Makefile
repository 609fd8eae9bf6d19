# SPDX-License-Identifier: MIT
# ktlsd. Two commands on a new Debian 12: `make demo` and `make check`.

B ?= build
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Werror
HARDEN = -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
HARDEN_LD = -pie -Wl,-z,relro,-z,now
ifdef SAN
HARDEN = -fPIE -fsanitize=$(SAN) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
# To find a function at its first call is to leave registers on the stack: keys.
HARDEN_LD = -pie -Wl,-z,now -fsanitize=$(SAN)
endif
COMPILE = $(CC) -std=gnu11 -D_GNU_SOURCE -I. -MMD -MP $(WARN) $(HARDEN) $(CFLAGS)
LINK = $(CC) $(HARDEN_LD) $(CFLAGS) $(LDFLAGS) -Wl,--as-needed
# Looked up when used: on a new machine pkg-config comes with `make deps`.
NL = $(shell pkg-config --$(1) libnl-3.0 libnl-genl-3.0)
LIBS = -luring -lyaml -lcurl -lssl -lcrypto -lsodium -lpthread -ljansson $(call NL,libs)

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
export B

obj = $(patsubst %.c,$(B)/%.o,$(wildcard $(1)))
name = $(patsubst $(1)/%.c,$(B)/$(2)%,$(wildcard $(1)/$(3).c))
KTLS = $(B)/libktls.a
OCSP = $(B)/libfetch.a $(B)/libocsp.a
PROBE = $(B)/libprobe.a
LIBRARIES = $(B)/libagent.a $(B)/libhandshake.a $(OCSP) $(PROBE) $(KTLS)
DAEMON = $(if $(wildcard agent/main.c),$(B)/ktlsd)
TOOLS = $(call name,tools,,*)
RUN_KTLS = $(B)/ktls/preload/program.o $(B)/ktls/preload/env.o
TESTS = $(call name,tests,tests/,test_*)
E2E = $(call name,tests/e2e,tests/,*)
MEASURE = $(call name,tests/measure,tests/,*)
# Compilers are slow in a guest.
EXAMPLES = $(B)/examples/go $(B)/examples/go-test $(B)/examples/rust
VECTORS = $(call name,tests/vectors,tests/,*)
# Unit tests that depend on the kernel run once more in the guests.
E2E_UNIT = $(B)/tests/test_ktls_probe $(B)/tests/test_ktls_record_kernel \
	$(B)/tests/test_ktls_rekey_kernel \
	$(B)/tests/test_agent_sandbox $(B)/tests/test_probe_tool_diag
FUZZ = $(call name,tests/fuzz,fuzz/,*)
FUZZ_SECONDS ?= 60

comma = ,
# What libktls calls, in the preload library, is not to be what that exports.
WRAPPED = bind close fcntl getpeername getsockname getsockopt ioctl recv \
	recvmsg sendmsg setsockopt shutdown

all: $(DAEMON) $(TOOLS) $(LIBRARIES) $(B)/libktls.so $(B)/libktls-accept.so

$(B)/ktls/%.o: HARDEN += -fPIC -fvisibility=hidden
$(B)/ktls/preload/%.o: HARDEN += -U_FORTIFY_SOURCE
# Many, each run for a moment: to compile them is what takes time.
$(B)/tests/test_%.o: CFLAGS += -O0 -U_FORTIFY_SOURCE
$(B)/agent/%.o $(B)/tools/probe/%.o $(B)/tests/%.o: CPPFLAGS += $(call NL,cflags)
$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(COMPILE) $(CPPFLAGS) -c -o $@ $<

$(B)/libagent.a: $(filter-out $(B)/agent/main.o,$(call obj,agent/*.c agent/*/*.c))
$(B)/libhandshake.a: $(call obj,handshake/*.c)
$(B)/libfetch.a: $(call obj,fetch/*.c)
$(B)/libocsp.a: $(call obj,ocsp/*.c)
$(PROBE): $(call obj,probe/*.c)
$(KTLS): $(call obj,ktls/*.c)
$(B)/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	@ar qcs $@ $^ # r would take files of one name for one
$(B)/libktls.so: $(call obj,ktls/*.c) ktls/libktls.map
	@$(LINK) -shared -Wl,-soname,libktls.so.0 -Wl,-z,defs \
		-Wl,--version-script=ktls/libktls.map -o $@ \
		$(filter %.o,$^) -lcrypto
# With a libcrypto of its own: the server may bring another one.
$(B)/libktls-accept.so: $(call obj,ktls/preload/*.c) $(KTLS)
	@echo "  LD    $@"
	@$(LINK) -shared -Wl,-soname,libktls-accept.so \
		$(if $(SAN),,-Wl,-z$(comma)defs) -o $@ \
		$(WRAPPED:%=-Wl,--wrap=%) -Wl,--exclude-libs,ALL \
		-Wl,--gc-sections $^ -Wl,-Bstatic -lcrypto -Wl,-Bdynamic

$(B)/ktlsd: $(B)/agent/main.o $(LIBRARIES)
$(B)/ktls-static: $(call obj,tools/static/*.c)
$(B)/ktls-run: $(call obj,tools/run/*.c) $(RUN_KTLS)
$(B)/ktls-staple: $(call obj,tools/staple/*.c) $(OCSP)
$(B)/ktls-bench: $(call obj,tools/bench/*.c)
$(B)/ktls-bench $(B)/tests/test_bench_%: LIBS += -lm
$(B)/ktls-probe: $(call obj,tools/probe/*.c) $(PROBE) $(B)/libfetch.a
$(filter $(B)/tests/test_probe_tool_%,$(TESTS)): $(call obj,tools/probe/*.c)
$(filter $(B)/tests/test_static_%,$(TESTS)): $(call obj,tools/static/*.c)
$(filter $(B)/tests/test_run_%,$(TESTS)): $(call obj,tools/run/*.c) \
	$(RUN_KTLS)
$(filter $(B)/tests/test_bench_%,$(TESTS)): $(call obj,tools/bench/*.c)
$(TOOLS): $(B)/%: $(B)/tools/%.o $(KTLS)
$(filter $(B)/tests/test_preload_%,$(TESTS)): $(RUN_KTLS) \
	$(B)/ktls/preload/address.o $(B)/ktls/preload/table.o
$(TESTS): $(B)/tests/%: $(B)/tests/%.o $(LIBRARIES)
$(TESTS): LIBS += -lcriterion
$(TESTS) $(FUZZ): | $(B)/tests/rsa.pem
$(B)/tests/rsa.pem:
	@mkdir -p $(@D)
	@for n in 0 1 2; do openssl genrsa 2048 || exit; done >$@.new 2>$@.log || \
		{ cat $@.log; exit 1; }
	@mv $@.new $@
$(E2E): $(B)/tests/%: $(B)/tests/e2e/%.o $(call obj,tests/e2e/tool/*.c) $(KTLS)
$(MEASURE): $(B)/tests/%: $(B)/tests/measure/%.o \
	$(call obj,tests/e2e/tool/*.c) $(LIBRARIES)
$(VECTORS): $(B)/tests/%: $(B)/tests/vectors/%.o $(B)/libocsp.a
$(FUZZ): $(B)/fuzz/%: $(B)/tests/fuzz/%.o $(LIBRARIES)
$(FUZZ): LDFLAGS += -fsanitize=fuzzer
# By environment and linker script: flags of cgo's own make go build its library
# anew. What is there already go would take for linked with the present libktls.
$(B)/examples/go: GO = go build
$(B)/examples/go: examples/server.go
$(B)/examples/go-test: GO = go test -c -vet=off # it makes facts of net, slowly
$(B)/examples/go $(B)/examples/go-test: $(wildcard ktls/go/*) $(B)/gocode/libktls.so
	@mkdir -p $(@D)
	@echo "  GO    $@"
	@rm -f $@
	@GO111MODULE=off GOPATH=$(abspath $(B))/gocode \
		GOCACHE=$(abspath $(B))/go-cache C_INCLUDE_PATH=$(CURDIR)/ktls \
		LIBRARY_PATH=$(abspath $(B))/gocode \
		$(if $(SAN),CGO_LDFLAGS=-fsanitize=$(SAN)) \
		$(GO) -o $@ $(or $(filter examples/%,$^),ktls)
$(B)/gocode/libktls.so: $(KTLS) Makefile
	@mkdir -p $(@D)/src
	@ln -sfn $(CURDIR)/ktls/go $(@D)/src/ktls
	@echo "INPUT($(abspath $<) -lcrypto)" >$@
# By name: rustc wants no libraries but those it names.
SAN_LIBS = $(subst address,asan,$(subst undefined,ubsan,$(subst $(comma), ,$(SAN))))
$(B)/examples/rust: examples/server.rs $(KTLS)
	@mkdir -p $(@D)
	@echo "  RUST  $@"
	@/usr/bin/rustc --edition 2021 -O -L $(B) -l static=ktls -l crypto \
		$(addprefix -C link-arg=-l,$(SAN_LIBS)) -o $@ $<
$(B)/ktlsd $(TOOLS) $(TESTS) $(E2E) $(MEASURE) $(VECTORS) $(FUZZ):
	@mkdir -p $(@D)
	@echo "  LD    $@"
	@$(LINK) -o $@ $^ $(LIBS)

demo:
	@tools/deps demo
	@$(MAKE) --no-print-directory -s all
	@tools/demo
check: deps
	+@tests/check layers unit vectors e2e guest
layers:
	@tests/layers
unit: $(TESTS)
	@tests/unit
vectors: $(VECTORS)
	@tests/vectors/run
e2e: all $(E2E) $(E2E_UNIT) $(EXAMPLES)
	@tests/e2e/lanes
guest: all $(E2E) $(E2E_UNIT) $(EXAMPLES)
	@tests/guest/run
san:
	@$(MAKE) B=build-san SAN=address,undefined CFLAGS="-O1 -g" \
		san-run
san-run:
	+@tests/san unit e2e
fuzz: # needs clang
	@$(MAKE) B=build-fuzz CC=clang SAN=fuzzer-no-link,address,undefined fuzz-run
fuzz-run: $(FUZZ)
	@for f in $^; do \
		echo "== $$f, $(FUZZ_SECONDS) s"; mkdir -p $$f.corpus; \
		$$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
			-verbosity=0 -artifact_prefix=$$f- $$f.corpus || exit; \
	done
bench: all # against what is committed; in a guest, so by instructions
	@tests/bench/run
report: all
	@tools/report
measure: all $(E2E) $(MEASURE) # not part of check: it takes a quiet machine
	@tests/measure/run
openssl: # the unit tests with newer ones, from Debian
	+@tests/openssl-versions
deps:
	@tools/deps

LIBKTLS = 0.1.0
MAN = $(wildcard man/*.[1-8])
GO_PACKAGE = $(filter-out %_test.go,$(wildcard ktls/go/*))
# They may have a space, and what is below them has none.
DEST = "$(DESTDIR)$(PREFIX)"
UNITS = "$(DESTDIR)/lib/systemd/system"
# Below $(DEST), all that install puts there; and the folders that are its own.
INSTALLED = sbin/ktlsd $(TOOLS:$(B)/%=bin/%) lib/libktls.a lib/libktls.so \
	lib/libktls.so.0 lib/libktls.so.$(LIBKTLS) lib/libktls-accept.so \
	lib/pkgconfig/libktls.pc include/ktls.h \
	$(GO_PACKAGE:ktls/go/%=share/gocode/src/ktls/%) \
	share/doc/ktlsd/ktlsd.conf.example \
	$(foreach page,$(MAN),share/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
FOLDERS = share/gocode/src/ktls share/doc/ktlsd
install: all
	install -d $(DEST)/sbin $(DEST)/bin $(DEST)/lib/pkgconfig \
		$(DEST)/include $(FOLDERS:%=$(DEST)/%) $(UNITS)
	install -m 755 $(B)/ktlsd $(DEST)/sbin
	install -m 755 $(TOOLS) $(DEST)/bin
	install -m 644 $(KTLS) $(DEST)/lib
	install -m 755 $(B)/libktls.so $(DEST)/lib/libktls.so.$(LIBKTLS)
	ln -sf libktls.so.$(LIBKTLS) $(DEST)/lib/libktls.so.0
	ln -sf libktls.so.0 $(DEST)/lib/libktls.so
	install -m 755 $(B)/libktls-accept.so $(DEST)/lib
	install -m 644 ktls/ktls.h $(DEST)/include
	install -m 644 $(GO_PACKAGE) $(DEST)/share/gocode/src/ktls
	install -m 644 agent/ktlsd.conf.example $(DEST)/share/doc/ktlsd
	sed 's,@prefix@,$(PREFIX),; s,@version@,$(LIBKTLS),' ktls/libktls.pc.in | \
		install -m 644 /dev/stdin $(DEST)/lib/pkgconfig/libktls.pc
	sed 's,@sbindir@,$(PREFIX)/sbin,; s,@bindir@,$(PREFIX)/bin,' \
		agent/ktlsd.service | \
		install -m 644 /dev/stdin $(UNITS)/ktlsd.service
	install -m 644 agent/ktlsd.socket $(UNITS)
	for page in $(MAN); do \
		install -D -m 644 $$page \
			$(DEST)/share/man/man$${page##*.}/$${page##*/} || exit; \
	done
# Configuration and state stay, and so do folders that others may have made.
uninstall:
	rm -f $(UNITS)/ktlsd.service $(UNITS)/ktlsd.socket
	rm -f $(INSTALLED:%=$(DEST)/%)
	for folder in $(FOLDERS); do \
		[ ! -d $(DEST)/$$folder ] || rmdir $(DEST)/$$folder || exit; \
	done
clean:
	rm -rf build build-san build-fuzz build-openssl

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all demo check layers unit vectors e2e guest san san-run fuzz \
	fuzz-run bench report measure openssl deps install uninstall clean
-include $(shell find $(B) -name '*.d' 2>/dev/null)
