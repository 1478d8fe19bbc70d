# SPDX-License-Identifier: LGPL-2.1-only
# One Makefile, usable on a fresh clone: it runs autoconf and configure itself.
# All output lies under build/; `make B=FOLDER` is another build of the same
# tree, with a configuration of its own.

B := build
CONFIGURE_FLAGS ?=
SOVERSION := 0

.PHONY: all bench bench-criu check check-unit check-tsan check-valgrind check-rig \
        check-rig-long check-evtchn-long fuzz lint mutate \
        demo figures rig-shell hypervisor hypervisor-deb guest-module guest-dkms \
        install uninstall dist \
        check-dist deb check-deb clean help
.DELETE_ON_ERROR:

# One line a file; V=1 shows the commands.
Q := $(if $(V),,@)
say = @$(if $(V),:,printf '  %-6s %s\n' '$1' '$@')
.SECONDARY:

all:

help:
	@sed -n 's/^#: //p' Makefile

#: make               build the library and the commands (build/)
#: make install       DESTDIR= PREFIX= SYSCONFDIR= SYSV=yes (an init script)
#: make uninstall     the same DESTDIR= PREFIX=
#: make check         unit tests, then the tests on real Xen
#: make check-unit    unit tests, also under ASan and UBSan; T=lazy-pager: only
#:                    those whose name holds this
#: make check-tsan    those with threads, under TSan; T= as well
#: make check-valgrind  all but a few, under memcheck; T= as well
#: make check-rig     tests on real Xen, under QEMU
#: make check-rig-long  those that go on for many minutes
#: make check-evtchn-long  a million events at random, none may get lost
#: make lint          what clang-tidy, cppcheck, gcc and shellcheck find
#: make compile_commands.json  for them, and for editors
#: make fuzz          each parser on any bytes for an hour; FUZZ_SECONDS=60
#: make mutate        F=FILE...: which changes of these sources no unit test
#:                    notices; MUTATE='--sample 20', see tests/mutate --help
#: make demo          the two main jobs on real Xen, explained
#: make rig-shell     an interactive dom0
#: make bench         opening save images, sidecars, filling guests, listing USB
#:                    devices
#: make figures        draw the figures of docs/ again (build-aux/deps figures)
#: make bench-criu    lazy restore against CRIU itself, under QEMU
#: make hypervisor    the patched Xen, and how to install it
#: make hypervisor-deb  the same as a Debian package
#: make guest-module  KERNEL=VERSION: the module xen-vec for a Linux guest
#: make guest-dkms    its source for DKMS, build/xen-vec-VERSION
#: make deb           Debian packages, in build/deb/
#: make check-deb     the packages of two systems: built twice, tried, purged
#: make dist          a release, build/libxl-ext-VERSION.tar.gz
#: make check-dist    that it builds without git and autoconf
#: make clean         remove build/

# --- configuration ---------------------------------------------------------

# Goals that need no configured tree.
ifeq ($(filter-out clean help hypervisor hypervisor-deb guest-module guest-dkms check-evtchn-long rig-shell deb check-deb demo figures,$(or $(MAKECMDGOALS),all)),)
else
include $(B)/config.mk
endif

# The goals that boot Xen install what is missing, here too. Any other goal says
# what to install when it cannot go on.
ifneq ($(filter check check-rig check-rig-long,$(MAKECMDGOALS)),)
$(B)/configure: | $(B)/deps
$(B)/config.mk: $(B)/deps # there may be a libnbd now
endif

$(B)/deps: build-aux/deps
	@mkdir -p $(B)
	build-aux/deps build nbd test rig --install
	@touch $@

# A release has it beside this file.
configure := $(or $(wildcard configure),$(B)/configure)

$(configure): configure.ac
	@mkdir -p $(@D) $(B)
	@command -v autom4te >/dev/null || { build-aux/deps build; \
	    echo "configure: autoconf is missing, which makes it" >&2; exit 1; }
	$(call say,CONF)
	$(Q)autom4te --language=autoconf --cache=$(B)/autom4te.cache -o $@ $<
	@chmod +x $@

# Who ran configure by hand did so for the sake of its options.
again := ./config.status -q --recheck && ./config.status -q
first := $(abspath $(configure)) -q --srcdir=$(CURDIR) $(CONFIGURE_FLAGS)

$(B)/config.mk: $(configure) config.mk.in config.h.in \
                build-aux/Makefile.in libxl-ext/libxl-ext.pc.in
	@mkdir -p $(B)
	$(call say,CONF)
	$(Q)cd $(B) && if [ -n "$(CONFIGURE_FLAGS)" ] || [ ! -x config.status ]; \
	    then $(first); else $(again); fi
	@touch $@

# --- sources ---------------------------------------------------------------

lib_src := $(wildcard libxl-ext/*/*.c libxl-ext/*/*/*.c)
cmd_src := $(filter-out xl-cmds/main.c,$(wildcard xl-cmds/*.c))
helper_src := $(wildcard xl-cmds/save-helper/*.c)
backend_src := $(wildcard xl-cmds/usb-backend/*.c)
confine_src := $(wildcard xl-cmds/confine/*.c)
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
# -Wno-tsan: the fences are for the memory of a guest, of which it knows nothing.
SANITIZE_THREADS := -fsanitize=thread -Wno-tsan -O1 -g

# $(call objects,SOURCES,VARIANT): build/obj, build/asan or build/tsan
objects = $(patsubst %.c,$(B)/$2/%.o,$1)

lib_obj := $(call objects,$(lib_src),obj)
cmd_obj := $(call objects,$(cmd_src),obj)
confine_obj := $(call objects,$(confine_src),obj)
helper_obj := $(call objects,$(helper_src),obj) $(confine_obj)
backend_obj := $(call objects,$(backend_src),obj) $(confine_obj)
so := $(B)/libxl-ext.so.$(VERSION)
so_links := $(B)/libxl-ext.so.$(SOVERSION) $(B)/libxl-ext.so
man := $(patsubst docs/%.pod,$(B)/man/%,$(pods)) \
       $(patsubst include/%.h,$(B)/man/%.3,$(headers))
programs := $(B)/xl-ext $(B)/xl-ext-save-helper

all: $(so) $(so_links) $(B)/libxl-ext.a $(programs) $(man)

$(B)/obj/%.o: %.c $(B)/config.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

$(B)/asan/%.o: %.c $(B)/config.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(SANITIZE) -c -o $@ $<

$(B)/tsan/%.o: %.c $(B)/config.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(SANITIZE_THREADS) -c -o $@ $<

# Tests also see their fakes, the commands, and cmocka.
TEST_CPPFLAGS = -Itests -Ixl-cmds $(CMOCKA_CFLAGS)
$(B)/obj/tests/%.o $(B)/asan/tests/%.o $(B)/tsan/tests/%.o: \
    CPPFLAGS_ALL += $(TEST_CPPFLAGS)

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
# call to anything else does not link. In build/ they find it beside themselves.
# What is installed is linked again: under /usr the system's loader finds the
# library, elsewhere its folder is named.
LINKED := $(B)/installed
installed := $(patsubst $(B)/%,$(LINKED)/%,$(programs))
all: $(installed)
rpath_installed = $(if $(filter /usr/% /lib%,$(libdir)),,-Wl,-rpath,$(libdir))
$(programs): rpath := -Wl,-rpath,'$$ORIGIN'
$(installed): rpath = $(rpath_installed)

# Changes when that does.
$(LINKED)/rpath: there
	@mkdir -p $(@D)
	@echo '$(rpath_installed)' | cmp -s - $@ || \
	    echo '$(rpath_installed)' >$@
.PHONY: there
$(installed): $(LINKED)/rpath

$(B)/xl-ext $(LINKED)/xl-ext: $(B)/obj/xl-cmds/main.o $(cmd_obj) \
    $(B)/obj/xl-cmds/confine/privileges.o
$(B)/xl-ext $(LINKED)/xl-ext: libs := -lyajl
$(B)/xl-ext-save-helper $(LINKED)/xl-ext-save-helper: $(helper_obj)
$(B)/xl-ext-save-helper $(LINKED)/xl-ext-save-helper: libs := $(SECCOMP_LIBS)
$(programs) $(installed): $(so_links)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) -L$(B) -lxl-ext $(rpath) \
	    $(libs)

# The backend process calls what is below the public interface, and is linked to
# no more of it, and of Xen, than it needs: one a guest, it has to start at once
# and to stay small.
all: $(B)/xl-ext-usb-backend
$(B)/xl-ext-usb-backend: $(backend_obj) $(B)/libxl-ext.a
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(backend_obj) $(B)/libxl-ext.a $(USBD_LIBS)

# Pages of commands and files are written, those of the headers are made of their
# comments.
pod2man = $(POD2MAN) --section=$(lastword $(subst ., ,$*)) --center="libxl-ext" \
          --release="$(VERSION)" --name=$(basename $*) $< $@

$(B)/man/%: docs/%.pod
	@mkdir -p $(@D)
	$(call say,MAN)
	$(Q)$(pod2man)

$(B)/man/%: $(B)/pod/%.pod
	@mkdir -p $(@D)
	$(call say,MAN)
	$(Q)$(pod2man)

$(B)/pod/%.3.pod: include/%.h build-aux/header-pod $(headers)
	@mkdir -p $(@D)
	$(call say,POD)
	$(Q)perl build-aux/header-pod $< $(headers) >$@

# --- unit tests ------------------------------------------------------------

# Asked here: for the library's sake configure need not know.
ifneq ($(PKG_CONFIG),)
CMOCKA_CFLAGS := $(shell $(PKG_CONFIG) --cflags cmocka 2>/dev/null)
CMOCKA_LIBS := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)
endif

# All that tests and benchmarks can call: the library, the commands, the fakes.
# An archive a variant, and of it a shared object, so that a changed source
# relinks that and not every test.
tested_src := $(lib_src) $(cmd_src) $(fake_src) $(confine_src) \
              $(filter-out xl-cmds/usb-backend/main.c,$(backend_src)) \
              $(addprefix xl-cmds/save-helper/,calls.c files.c)
test_obj := $(call objects,$(tested_src),VARIANT)
tested := $(B)/obj/tested
tested_asan := $(B)/asan/tested
tested_tsan := $(B)/tsan/tested

$(tested).a: $(subst VARIANT,obj,$(test_obj))
$(tested_asan).a: $(subst VARIANT,asan,$(test_obj))
$(tested_tsan).a: $(subst VARIANT,tsan,$(test_obj))
$(tested).a $(tested_asan).a $(tested_tsan).a:
	$(call say,AR)
	@rm -f $@
	$(Q)$(AR) rcsT $@ $^

$(tested_asan).so: LDFLAGS_ALL += $(SANITIZE)
$(tested_tsan).so: LDFLAGS_ALL += $(SANITIZE_THREADS)
%/tested.so: %/tested.a
	$(call say,LD)
	$(Q)$(CC) -shared $(LDFLAGS_ALL) -o $@ -Wl,--whole-archive $< \
	    -Wl,--no-whole-archive $(DEPS_LIBS) $(USBD_LIBS) $(CMOCKA_LIBS)

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

$(B)/unit-tsan/%: LDFLAGS_ALL += $(SANITIZE_THREADS)
$(B)/unit-tsan/%: $(B)/tsan/tests/unit/%.o | $(tested_tsan).so
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(call test_link,tsan)

# test-libxl-contract: what it has in place of libxl is found by dlsym().
%/test-libxl-contract: LDFLAGS_ALL += -rdynamic

# test-nth: the library in one object that calls nth_malloc() for malloc().
nth_renamed := malloc calloc realloc reallocarray strdup strndup opendir \
               open_memstream
nth_rest = $(call objects,$(filter-out $(lib_src),$(tested_src)),$1)

$(B)/obj/nth.o: $(lib_obj)
$(B)/asan/nth.o: $(call objects,$(lib_src),asan)
$(B)/obj/nth.o $(B)/asan/nth.o:
	$(call say,LD)
	$(Q)ld -r -o $@.all $^
	$(Q)objcopy $(foreach f,$(nth_renamed),--redefine-sym $f=nth_$f) $@.all $@
	@rm $@.all

nth_link = $(CC) $(LDFLAGS_ALL) -o $@ $^ $(DEPS_LIBS) $(USBD_LIBS) $(CMOCKA_LIBS)
$(B)/unit/test-nth: $(B)/obj/tests/unit/test-nth.o $(B)/obj/nth.o \
                    $(call nth_rest,obj)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(nth_link)
$(B)/unit-asan/test-nth: $(B)/asan/tests/unit/test-nth.o $(B)/asan/nth.o \
                         $(call nth_rest,asan)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(nth_link)

ifeq ($(CMOCKA_LIBS),)
check-unit: no-cmocka
.PHONY: no-cmocka
no-cmocka:
	@build-aux/deps test; \
	    echo "check-unit: cmocka is missing, which the tests use" >&2; exit 1
else
# The programs use the .so, which their rules only want to be there.
check-unit: $(if $(checks),all) $(tests) $(tests_asan) \
            $(if $(tests),$(tested).so $(tested_asan).so)
	@CC="$(CC)" CXX="$(CXX)" BUILD=$(B) tests/unit/run $(tests) $(tests_asan) \
	    $(checks)
endif

# Those that start threads, or test what does. Not test-save-helper, which counts
# the threads at a fork, and TSan has one of its own; nor test-lazy-kill, whose
# pagers are forked beside the threads of a guest, which TSan cannot follow.
threaded := $(filter-out test-save-helper test-lazy-kill,$(basename $(notdir $(wildcard \
    tests/unit/test-lazy-*.c tests/unit/test-usbd-*.c $(addprefix \
    tests/unit/test-,paging-contract.c image-nbd.c fast-load.c \
    helper-restore.c doctor.c)))))
tests_tsan := $(addprefix $(B)/unit-tsan/,$(filter $(threaded),$(test_names)))

check-tsan: $(tests_tsan)
	@tests/unit/run $(tests_tsan)

# Not those whose system calls valgrind 3.19 does not know (pidfd_open,
# close_range, userfaultfd) or that forbid its own (seccomp); nor those that call
# the same code many thousand times, which ASan does in less than a day.
unknown_to_valgrind := daemon lazy-confine lazy-uffd process-contract \
                       usb-confine usbd-confine
too_long := fuzz image-mutations nth usbd-hostile
tests_valgrind := $(addprefix $(B)/unit/,$(filter-out $(addprefix \
    test-,$(unknown_to_valgrind) $(too_long)),$(test_names)))
memcheck := valgrind -q --error-exitcode=99 --child-silent-after-fork=yes \
            --leak-check=full --errors-for-leak-kinds=definite

check-valgrind: $(tests_valgrind) $(tested).so
	@TEST_LIMIT=3600 TEST_UNDER="$(memcheck)" tests/unit/run $(tests_valgrind)

# Needs clang; check-unit runs the same code for a fixed number of inputs.
fuzz: all
	BUILD=$(B) tests/fuzz/run

# --- analysers -------------------------------------------------------------

# How each source is compiled, for analysers and editors. A compiler's cache is
# not what they look for.
compiler = $(filter-out ccache distcc,$(CC))
compile = $(compiler) $(CPPFLAGS_ALL) $(filter-out -MMD -MP -Werror,$(CFLAGS_ALL))
entry = {"directory": "$(CURDIR)", "file": "$1", "command": "$(compile) $2-c $1"}
all_src = $(lib_src) $(wildcard xl-cmds/*.c xl-cmds/*/*.c) \
          $(fake_src) $(test_src)
empty :=
comma := $(empty),$(empty)

.PHONY: compile_commands.json
compile_commands.json:
	$(file >$@,[)
	$(foreach s,$(all_src),$(file >>$@,$(call \
	    entry,$s,$(if $(filter tests/%,$s),$(TEST_CPPFLAGS) ))$(if \
	    $(filter $s,$(lastword $(all_src))),,$(comma))))
	$(file >>$@,])
	@:

lint: compile_commands.json
	tests/lint/run

# The tests run with a library of their own, which has one object of a mutant.
MUTATE :=
mutate: $(tests) $(tested).so
mutate: $(if $(findstring --asan,$(MUTATE)),$(tests_asan) $(tested_asan).so)
	@MUTATE_CC="$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL)" \
	    MUTATE_LIBS="$(DEPS_LIBS) $(USBD_LIBS) $(CMOCKA_LIBS)" \
	    MUTATE_SANITIZE="$(SANITIZE)" \
	    MUTATE_OBJECTS="$(subst VARIANT,obj,$(test_obj))" \
	    tests/mutate $(MUTATE) $(F)

# --- benchmarks ------------------------------------------------------------

$(B)/bench/%: $(B)/obj/tests/bench/%.o $(tested).a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(DEPS_LIBS) $(USBD_LIBS) $(CMOCKA_LIBS)

# With the sanitizers: what usbd-hostile finds, they tell.
$(B)/bench-asan/%: LDFLAGS_ALL += $(SANITIZE)
$(B)/bench-asan/%: $(B)/asan/tests/bench/%.o $(tested_asan).a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(DEPS_LIBS) $(USBD_LIBS) $(CMOCKA_LIBS)

# Options for lazy-uffd, e.g. LAZY_UFFD='--mib 1024 --rounds 5'.
LAZY_UFFD :=
uffd_obj := $(call objects,$(wildcard tests/bench/lazy-uffd/*.c),obj)

$(B)/bench/lazy-uffd: $(uffd_obj) $(tested).a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(DEPS_LIBS) $(CMOCKA_LIBS) -lm

bench: all $(addprefix $(B)/bench/,index sidecar usb-list lazy-uffd)
	$(B)/bench/index $(B)/bench 1 8 64
	$(B)/bench/sidecar 64 $(B)/bench
	$(B)/bench/usb-list $(B)/bench
	$(B)/bench/lazy-uffd $(LAZY_UFFD) $(B)/bench
	$(B)/bench/lazy-uffd --big 64 $(B)/bench

# Some minutes; the machine must be left alone meanwhile.
bench-criu: all
	build-aux/deps rig --install
	BUILD=$(B) tests/bench/criu/run
	BUILD=$(B) tests/bench/criu/run --here --out $(B)/criu-output-here

# --- figures ---------------------------------------------------------------

# In the tree, as they are kept with what they are drawn from.
figures:
	docs/figures/draw

# --- real Xen --------------------------------------------------------------

check: check-unit
	$(MAKE) check-rig

# Debian 12 with the patched Xen runs every case. Debian 13, with its own Xen, runs
# what differs there; saved guests go from each to the other.
rig_cases = $(sort $(wildcard $(addprefix tests/rig/,$1)))
rig_run := tests/rig/run --timeout 450 --tries 2
trixie_cases := cases-stock/*.sh cases/boot.sh cases/usb-attach.sh \
    cases/usb-qemu.sh cases-releases/*.sh
# What two processors of dom0 do at once has these.
smp_cases := $(addprefix cases/,hypervisor-paging-ops.sh hypervisor-save.sh \
    lazy-kill.sh lazy-operator.sh lazy-restore-running.sh paging-contract.sh)

check-rig: all
	build-aux/deps rig --install
	hypervisor/build --check
	tests/rig/evtchn-run
	$(rig_run) $(filter-out $(call rig_cases,$(smp_cases)), \
	    $(call rig_cases,cases/*.sh cases-releases/save.sh))
	$(rig_run) --dom0-vcpus 2 --out $(B)/rig-output-smp \
	    $(call rig_cases,$(smp_cases))
	$(rig_run) --suite trixie --give $(B)/rig-output \
	    --out $(B)/rig-output-trixie $(call rig_cases,$(trixie_cases))
	$(rig_run) --xen stock --give $(B)/rig-output-trixie \
	    --out $(B)/rig-output-stock \
	    $(call rig_cases,cases-stock/*.sh cases-releases/restore.sh)

# What takes minutes, and is not for every change.
trixie_long := cases/guests.sh cases/image-tools.sh cases/usb-*.sh

check-rig-long: all
	build-aux/deps rig --install
	tests/rig/run --timeout 3600 --out $(B)/rig-output-long \
	    $(call rig_cases,cases-long/*.sh)
	tests/rig/run --xen unpatched --out $(B)/rig-output-unpatched \
	    tests/rig/cases-stock/lazy-stock.sh
	$(rig_run) --suite trixie --out $(B)/rig-output-trixie-long \
	    $(call rig_cases,$(trixie_long))
	tests/rig/installed bookworm trixie

check-evtchn-long:
	build-aux/deps rig --install
	tests/rig/evtchn-run --sends 1000000 --timeout 3600

demo:
	@tests/rig/demo

rig-shell:
	build-aux/deps build nbd rig --install
	$(MAKE) all
	tests/rig/run --shell

hypervisor:
	hypervisor/build --output $(B)/hypervisor

hypervisor-deb:
	hypervisor/build --deb $(B)/deb-hypervisor

# --- a module for Linux guests ---------------------------------------------

# Built in a guest, where nothing else of this can be.
guest_src := $(addprefix guest/linux/,Kbuild *.[ch])
guest_version = $(shell sed -n 's/^AC_INIT.\[libxl-ext\], *\[\([^]]*\).*/\1/p' configure.ac)
guest_dkms = $(B)/xen-vec-$(guest_version)
KERNEL ?= $(shell uname -r)
KERNEL_BUILD ?= /lib/modules/$(KERNEL)/build

guest-module:
	@[ -e $(KERNEL_BUILD)/Makefile ] || { \
	    echo "guest-module: no headers of kernel $(KERNEL) in $(KERNEL_BUILD)" >&2; \
	    exit 1; }
	@mkdir -p $(B)/guest-linux
	@cp -u $(guest_src) $(B)/guest-linux
	$(MAKE) -C $(KERNEL_BUILD) M=$(abspath $(B)/guest-linux) modules

guest-dkms:
	@rm -rf $(guest_dkms)
	@mkdir -p $(guest_dkms)
	@cp $(guest_src) $(guest_dkms)
	@sed 's|@VERSION@|$(guest_version)|' guest/linux/dkms.conf.in \
	    >$(guest_dkms)/dkms.conf
	@echo $(guest_dkms)

# --- installation ----------------------------------------------------------

INSTALL := install
D = $(DESTDIR)
helperdir = $(libexecdir)/libxl-ext
compdir = $(datadir)/bash-completion/completions
zshcompdir = $(datadir)/zsh/site-functions
fishcompdir = $(datadir)/fish/vendor_completions.d
initdir = $(sysconfdir)/init.d
logrotatedir = $(sysconfdir)/logrotate.d
unitdir = $(systemdsystemunitdir)
unit := libxl-ext-usb.service

install: all install-service
	$(INSTALL) -d $(D)$(libdir)/pkgconfig $(D)$(sbindir) $(D)$(helperdir) \
	    $(D)$(compdir) $(D)$(zshcompdir) $(D)$(fishcompdir) \
	    $(D)$(docdir)/figures \
	    $(D)$(includedir) $(D)$(logrotatedir)
	$(INSTALL) -m 755 $(so) $(D)$(libdir)
	ln -sf $(notdir $(so)) $(D)$(libdir)/libxl-ext.so.$(SOVERSION)
	ln -sf $(notdir $(so)) $(D)$(libdir)/libxl-ext.so
	$(INSTALL) -m 644 $(B)/libxl-ext.a $(D)$(libdir)
	sed -e 's|^prefix=.*|prefix=$(prefix)|' \
	    -e 's|^libdir=.*|libdir=$(libdir)|' \
	    -e 's|^includedir=.*|includedir=$(includedir)|' $(B)/libxl-ext.pc \
	    >$(D)$(libdir)/pkgconfig/libxl-ext.pc
	$(INSTALL) -m 644 $(headers) $(D)$(includedir)
	$(INSTALL) -m 755 $(LINKED)/xl-ext $(D)$(sbindir)
	$(INSTALL) -m 755 $(LINKED)/xl-ext-save-helper \
	    $(B)/xl-ext-usb-backend $(D)$(helperdir)
	$(INSTALL) -m 644 xl-cmds/completion/xl-ext.bash $(D)$(compdir)/xl-ext
	$(INSTALL) -m 644 xl-cmds/completion/_xl-ext $(D)$(zshcompdir)
	$(INSTALL) -m 644 xl-cmds/completion/xl-ext.fish $(D)$(fishcompdir)
	$(INSTALL) -m 644 xl-cmds/service/xl-ext.logrotate \
	    $(D)$(logrotatedir)/xl-ext
	$(INSTALL) -m 644 README.md COPYING $(wildcard docs/*.md) $(D)$(docdir)
	$(INSTALL) -m 644 $(wildcard docs/figures/*.svg) $(D)$(docdir)/figures
	for m in $(notdir $(man)); do \
	    $(INSTALL) -D -m 644 $(B)/man/$$m $(D)$(mandir)/man$${m##*.}/$$m; \
	done
	@# Never in the place of the distribution's own xl.
	@if [ "$(prefix)" = /usr ]; then \
	    echo "no xl installed: xl-ext install-front does that"; \
	else \
	    $(B)/xl-ext install-front --dir=$(abspath $(D)$(sbindir)) || :; \
	fi
	@# The loader reads its folders anew; only root can have it do so.
	@[ -n "$(DESTDIR)$(rpath_installed)" ] || ldconfig 2>/dev/null || :

# Installed, not enabled.
install-service:
ifneq ($(unitdir),)
	$(INSTALL) -d $(D)$(unitdir)
	sed 's|@sbindir@|$(sbindir)|' xl-cmds/service/$(unit).in \
	    >$(D)$(unitdir)/$(unit)
endif
ifeq ($(SYSV),yes)
	$(INSTALL) -d $(D)$(initdir)
	sed 's|@sbindir@|$(sbindir)|; s|@rundir@|$(RUNDIR)|' \
	    xl-cmds/service/libxl-ext-usb.init.in >$(D)$(initdir)/libxl-ext-usb
	chmod 755 $(D)$(initdir)/libxl-ext-usb
endif
.PHONY: install-service

uninstall:
	rm -f $(D)$(libdir)/libxl-ext.* $(D)$(libdir)/pkgconfig/libxl-ext.pc \
	    $(D)$(sbindir)/xl-ext $(D)$(logrotatedir)/xl-ext \
	    $(if $(unitdir),$(D)$(unitdir)/$(unit)) $(D)$(initdir)/libxl-ext-usb
	for link in $(D)$(sbindir)/xl $(D)$(compdir)/xl; do \
	    [ "$$(readlink $$link)" != xl-ext ] || rm -f $$link; \
	done
	rm -f $(D)$(compdir)/xl-ext $(D)$(zshcompdir)/_xl-ext \
	    $(D)$(fishcompdir)/xl-ext.fish
	rm -f $(addprefix $(D)$(includedir)/,$(notdir $(headers)))
	rm -rf $(D)$(helperdir) $(D)$(docdir)
	for m in $(notdir $(man)); do rm -f $(D)$(mandir)/man$${m##*.}/$$m; done

# --- a release -------------------------------------------------------------

# Of what is committed; with configure, so that it needs no autoconf.
release = libxl-ext-$(VERSION)

dist: $(configure)
	@git rev-parse -q --verify HEAD >/dev/null || \
	    { echo "dist: not a git clone: nothing to make a release of" >&2; \
	      exit 1; }
	rm -rf $(B)/dist
	mkdir -p $(B)/dist
	git -c tar.umask=0022 archive --prefix=$(release)/ HEAD | tar -xf - -C $(B)/dist
	cp $(configure) $(B)/dist/$(release)/configure
	tar -C $(B)/dist --sort=name --owner=0 --group=0 --numeric-owner \
	    --mtime=@$$(git log -1 --format=%ct) -cf - $(release) | \
	    gzip -9n >$(B)/$(release).tar.gz
	@rm -r $(B)/dist
	@echo "$(B)/$(release).tar.gz"

# The release builds and passes its unit tests without git and autoconf.
check-dist: dist
	tests/dist $(B)/$(release).tar.gz

# --- packages --------------------------------------------------------------

deb:
	build-aux/deb $(B)/deb

check-deb:
	tests/packages bookworm trixie

clean:
	rm -rf $(B)

-include $(shell [ ! -d $(B) ] || find $(B)/obj $(B)/asan $(B)/tsan -name '*.d' 2>/dev/null)
