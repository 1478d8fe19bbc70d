# SPDX-License-Identifier: LGPL-2.1-only
# One Makefile, usable on a fresh clone: it runs autoconf and configure itself.
# All output lies under build/; `make B=FOLDER` is another build of the same
# tree, with a configuration of its own.

B := build
CONFIGURE_FLAGS ?= $(if $(wildcard .git),--enable-werror)
SOVERSION := 0

.PHONY: all bench bench-criu check check-unit check-rig check-rig-long check-evtchn-long \
        demo rig-shell hypervisor install uninstall deb check-deb clean help \
        deps
.DELETE_ON_ERROR:

# One line a file; V=1 shows the commands.
Q := $(if $(V),,@)
say = @$(if $(V),:,printf '  %-6s %s\n' '$1' '$@')
.SECONDARY:

all:

help:
	@sed -n 's/^#: //p' Makefile

#: make               build the library and the commands (build/)
#: make install       DESTDIR= PREFIX= SYSCONFDIR=
#: make uninstall     the same DESTDIR= PREFIX=
#: make check         unit tests, then the tests on real Xen
#: make check-unit    unit tests, also under ASan and UBSan; T=lazy-pager: only
#:                    those whose name holds this
#: make check-rig     tests on real Xen, under QEMU
#: make check-rig-long  those that go on for many minutes
#: make check-evtchn-long  a million events at random, none may get lost
#: make demo          the two main jobs on real Xen, explained
#: make rig-shell     an interactive dom0
#: make bench         opening save images, filling guests, listing USB devices
#: make bench-criu    lazy restore against CRIU itself, under QEMU
#: make hypervisor    the patched Xen, and how to install it
#: make deb           Debian packages, in build/deb/
#: make check-deb     the packages of two systems: built twice, tried, purged
#: make clean         remove build/

# --- configuration ---------------------------------------------------------

# Goals that need no configured tree.
ifeq ($(filter-out clean help hypervisor check-evtchn-long rig-shell deb check-deb demo,$(or $(MAKECMDGOALS),all)),)
else
-include $(B)/config.mk
endif

# The goals a newcomer types first install what is missing; plain `make` only
# says what to install.
ifneq ($(filter check check-unit check-rig check-rig-long,$(MAKECMDGOALS)),)
DEPS := $(B)/deps
endif

$(B)/deps: build-aux/deps
	@mkdir -p $(B)
	build-aux/deps build --install
	@touch $@

$(B)/configure: configure.ac | $(DEPS)
	@mkdir -p $(B)
	@build-aux/deps build
	autom4te --language=autoconf --cache=$(B)/autom4te.cache -o $@ $<
	@chmod +x $@

$(B)/config.mk: $(B)/configure config.mk.in config.h.in \
                libxl-ext/libxl-ext.pc.in
	cd $(B) && ./configure -q --srcdir=$(CURDIR) $(CONFIGURE_FLAGS)
	@touch $@

# --- sources ---------------------------------------------------------------

lib_src := $(wildcard libxl-ext/*/*.c)
cmd_src := $(filter-out xl-cmds/main.c,$(wildcard xl-cmds/*.c))
helper_src := $(wildcard xl-cmds/save-helper/*.c)
backend_src := $(wildcard xl-cmds/usb-backend/*.c)
fake_src := $(wildcard tests/fakes/*.c)
test_src := $(wildcard tests/unit/test-*.c)
headers := $(wildcard include/*.h)
pods := $(wildcard docs/*.pod)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
        -Wpointer-arith -Wvla -Wundef $(WERROR)
CPPFLAGS_ALL = -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I$(B) -Iinclude -Ilibxl-ext \
               $(DEPS_CFLAGS) $(CPPFLAGS)
CFLAGS_ALL = -std=gnu11 $(CFLAGS) $(WARN) -fPIC -pthread -MMD -MP
# A library that nothing is used of would still be loaded at every start.
LDFLAGS_ALL := -pthread -Wl,--as-needed $(LDFLAGS)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -O1 -g

# $(call objects,SOURCES,VARIANT): build/obj or build/asan
objects = $(patsubst %.c,$(B)/$2/%.o,$1)

lib_obj := $(call objects,$(lib_src),obj)
cmd_obj := $(call objects,$(cmd_src),obj)
helper_obj := $(call objects,$(helper_src),obj)
backend_obj := $(call objects,$(backend_src),obj)
so := $(B)/libxl-ext.so.$(VERSION)
so_links := $(B)/libxl-ext.so.$(SOVERSION) $(B)/libxl-ext.so
man := $(patsubst docs/%.pod,$(B)/man/%,$(pods))
programs := $(B)/xl-ext $(B)/xl-ext-save-helper $(B)/xl-ext-usb-backend

all: $(so) $(so_links) $(B)/libxl-ext.a $(programs) $(man)

$(B)/obj/%.o: %.c $(B)/config.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

$(B)/asan/%.o: %.c $(B)/config.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(SANITIZE) -c -o $@ $<

# Tests also see their fakes, the commands, and cmocka.
$(B)/obj/tests/%.o $(B)/asan/tests/%.o: \
    CPPFLAGS_ALL += -Itests -Ixl-cmds $(CMOCKA_CFLAGS)

$(so): $(lib_obj) libxl-ext/libxl-ext.map
	$(call say,LD)
	$(Q)$(CC) -shared -Wl,-soname,libxl-ext.so.$(SOVERSION) -Wl,-z,defs \
	    -Wl,--version-script=libxl-ext/libxl-ext.map \
	    $(LDFLAGS_ALL) -o $@ $(lib_obj) $(DEPS_LIBS)

$(so_links): $(so)
	@ln -sf $(notdir $(so)) $@

$(B)/libxl-ext.a: $(lib_obj)
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $^

# The commands use the public interface only, through the shared library: a
# call to anything else does not link. They find it beside themselves (build/)
# or in ../lib (installed), whatever the prefix.
rpath := -Wl,-rpath,'$$ORIGIN:$$ORIGIN/../lib:$$ORIGIN/../../lib'

$(B)/xl-ext: $(B)/obj/xl-cmds/main.o $(cmd_obj) $(so_links)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -L$(B) -lxl-ext $(rpath) -lyajl

$(B)/xl-ext-save-helper: $(helper_obj)
$(B)/xl-ext-usb-backend: $(backend_obj)
$(B)/xl-ext-save-helper $(B)/xl-ext-usb-backend: $(so_links)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -L$(B) -lxl-ext $(rpath)

$(B)/man/%: docs/%.pod
	@mkdir -p $(@D)
	$(call say,MAN)
	$(Q)$(POD2MAN) --section=$(lastword $(subst ., ,$*)) --center="libxl-ext" \
	    --release="$(VERSION)" --name=$(basename $*) $< $@

# --- unit tests ------------------------------------------------------------

# All that tests and benchmarks can call: the library, the commands, the fakes.
# An archive a variant, and of it a shared object, so that a changed source
# relinks that and not every test.
test_obj := $(call objects,$(lib_src) $(cmd_src) $(fake_src),VARIANT)
tested := $(B)/obj/tested
tested_asan := $(B)/asan/tested

$(tested).a: $(subst VARIANT,obj,$(test_obj))
$(tested_asan).a: $(subst VARIANT,asan,$(test_obj))
$(tested).a $(tested_asan).a:
	$(call say,AR)
	@rm -f $@
	$(Q)$(AR) rcsT $@ $^

$(tested_asan).so: LDFLAGS_ALL += $(SANITIZE)
%/tested.so: %/tested.a
	$(call say,LD)
	$(Q)$(CC) -shared $(LDFLAGS_ALL) -o $@ -Wl,--whole-archive $< \
	    -Wl,--no-whole-archive $(DEPS_LIBS) $(CMOCKA_LIBS)

# Those whose name holds $(T), as in T=lazy-pager; all of them without.
T :=
chosen = $(if $(T),$(foreach t,$1,$(if $(findstring $(T),$(notdir $t)),$t)),$1)
test_names := $(basename $(notdir $(call chosen,$(test_src))))
tests := $(addprefix $(B)/unit/,$(test_names))
tests_asan := $(addprefix $(B)/unit-asan/,$(test_names))
checks := $(call chosen,$(sort $(wildcard tests/unit/check-*.sh)))

# What is missing is found at the start, not where it is called.
test_link = $(CC) $(LDFLAGS_ALL) -Wl,-z,now -o $@ $(filter %.o,$^) \
            $(filter %.so,$|) -Wl,-rpath,'$$ORIGIN/../$1' \
            $(DEPS_LIBS) $(CMOCKA_LIBS)

$(B)/unit/%: $(B)/obj/tests/unit/%.o | $(tested).so
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(call test_link,obj)

$(B)/unit-asan/%: LDFLAGS_ALL += $(SANITIZE)
$(B)/unit-asan/%: $(B)/asan/tests/unit/%.o | $(tested_asan).so
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(call test_link,asan)

# The programs use the .so, which their rules only want to be there.
check-unit: $(if $(checks),all) $(tests) $(tests_asan) $(tested).so \
            $(tested_asan).so
	@CC="$(CC)" CXX="$(CXX)" BUILD=$(B) tests/unit/run $(tests) $(tests_asan) \
	    $(checks)

# --- benchmarks ------------------------------------------------------------

$(B)/bench/%: $(B)/obj/tests/bench/%.o $(tested).a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(DEPS_LIBS) $(CMOCKA_LIBS)

# Options for lazy-uffd, e.g. LAZY_UFFD='--mib 1024 --rounds 5'.
LAZY_UFFD :=
uffd_obj := $(call objects,$(wildcard tests/bench/lazy-uffd/*.c),obj)

$(B)/bench/lazy-uffd: $(uffd_obj) $(tested).a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(DEPS_LIBS) $(CMOCKA_LIBS) -lm

bench: all $(B)/bench/index $(B)/bench/usb-list $(B)/bench/lazy-uffd
	$(B)/bench/index $(B)/bench 1 8 64
	$(B)/bench/usb-list $(B)/bench
	$(B)/bench/lazy-uffd $(LAZY_UFFD) $(B)/bench
	$(B)/bench/lazy-uffd --big 64 $(B)/bench

# Some minutes; the machine must be left alone meanwhile.
bench-criu: all
	build-aux/deps rig --install
	BUILD=$(B) tests/bench/criu/run
	BUILD=$(B) tests/bench/criu/run --here --out $(B)/criu-output-here

# --- real Xen --------------------------------------------------------------

check: check-unit
	$(MAKE) check-rig

check-rig: all
	build-aux/deps rig --install
	hypervisor/build --check
	tests/rig/evtchn-run
	tests/rig/run --timeout 450 --tries 2 $(sort $(wildcard tests/rig/cases/*.sh))
	tests/rig/run --timeout 450 --tries 2 --xen stock --out $(B)/rig-output-stock \
	    $(sort $(wildcard tests/rig/cases-stock/*.sh))

# What takes minutes, and is not for every change.
check-rig-long: all
	build-aux/deps rig --install
	tests/rig/run --timeout 1500 --out $(B)/rig-output-long \
	    $(sort $(wildcard tests/rig/cases-long/*.sh))
	tests/rig/run --xen unpatched --out $(B)/rig-output-unpatched \
	    tests/rig/cases-stock/lazy-stock.sh

check-evtchn-long:
	build-aux/deps rig --install
	tests/rig/evtchn-run --sends 1000000 --timeout 3600

demo:
	@tests/rig/demo

rig-shell:
	$(MAKE) all
	build-aux/deps rig --install
	tests/rig/run --shell

hypervisor:
	hypervisor/build --output $(B)/hypervisor

# --- installation ----------------------------------------------------------

INSTALL := install
libdir = $(DESTDIR)$(PREFIX)/lib
sbindir = $(DESTDIR)$(PREFIX)/sbin
libexecdir = $(DESTDIR)$(PREFIX)/libexec/libxl-ext
mandir = $(DESTDIR)$(PREFIX)/share/man
docdir = $(DESTDIR)$(PREFIX)/share/doc/libxl-ext
unitdir = $(DESTDIR)$(PREFIX)/lib/systemd/system
initdir = $(DESTDIR)$(SYSCONFDIR)/init.d
logrotatedir = $(DESTDIR)$(SYSCONFDIR)/logrotate.d
compdir = $(DESTDIR)$(PREFIX)/share/bash-completion/completions

install: all
	$(INSTALL) -d $(libdir)/pkgconfig $(sbindir) $(libexecdir) $(compdir) \
	    $(docdir) $(DESTDIR)$(PREFIX)/include $(unitdir) $(initdir) \
	    $(logrotatedir)
	$(INSTALL) -m 755 $(so) $(libdir)
	ln -sf $(notdir $(so)) $(libdir)/libxl-ext.so.$(SOVERSION)
	ln -sf $(notdir $(so)) $(libdir)/libxl-ext.so
	$(INSTALL) -m 644 $(B)/libxl-ext.a $(libdir)
	sed 's|^prefix=.*|prefix=$(PREFIX)|' $(B)/libxl-ext.pc \
	    > $(libdir)/pkgconfig/libxl-ext.pc
	$(INSTALL) -m 644 $(headers) $(DESTDIR)$(PREFIX)/include
	$(INSTALL) -m 755 $(B)/xl-ext $(sbindir)
	$(INSTALL) -m 755 $(B)/xl-ext-save-helper $(B)/xl-ext-usb-backend \
	    $(libexecdir)
	$(INSTALL) -m 644 xl-cmds/xl-ext.bash $(compdir)/xl-ext
	@# Installed, not enabled.
	sed 's|@sbindir@|$(PREFIX)/sbin|' xl-cmds/service/libxl-ext-usb.service.in \
	    > $(unitdir)/libxl-ext-usb.service
	sed 's|@sbindir@|$(PREFIX)/sbin|; s|@rundir@|$(RUNDIR)|' \
	    xl-cmds/service/libxl-ext-usb.init.in > $(initdir)/libxl-ext-usb
	chmod 755 $(initdir)/libxl-ext-usb
	$(INSTALL) -m 644 xl-cmds/service/xl-ext.logrotate $(logrotatedir)/xl-ext
	$(INSTALL) -m 644 README.md COPYING $(wildcard docs/*.md) $(docdir)
	for m in $(notdir $(man)); do \
	    $(INSTALL) -D -m 644 $(B)/man/$$m $(mandir)/man$${m##*.}/$$m; \
	done
	@# Never in the place of the distribution's own xl.
	@if [ "$(PREFIX)" = /usr ]; then \
	    echo "no xl installed: xl-ext install-front does that"; \
	else \
	    $(B)/xl-ext install-front --dir=$(abspath $(sbindir)) || :; \
	fi

uninstall:
	rm -f $(libdir)/libxl-ext.* $(libdir)/pkgconfig/libxl-ext.pc \
	    $(sbindir)/xl-ext \
	    $(unitdir)/libxl-ext-usb.service $(initdir)/libxl-ext-usb \
	    $(logrotatedir)/xl-ext
	for link in $(sbindir)/xl $(compdir)/xl; do \
	    [ "$$(readlink $$link)" != xl-ext ] || rm -f $$link; \
	done
	rm -f $(compdir)/xl-ext
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/include/,$(notdir $(headers)))
	rm -rf $(libexecdir) $(docdir)
	for m in $(notdir $(man)); do rm -f $(mandir)/man$${m##*.}/$$m; done

# --- packages --------------------------------------------------------------

deb:
	build-aux/deb $(B)/deb

check-deb:
	tests/packages bookworm trixie

clean:
	rm -rf $(B)

-include $(shell [ ! -d $(B) ] || find $(B)/obj $(B)/asan -name '*.d' 2>/dev/null)
