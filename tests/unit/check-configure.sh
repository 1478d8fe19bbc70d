#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# What configure is told reaches the code, and where make installs to; a folder
# it is run in can be built in.
set -eu

top=$PWD
configure=$top/configure # a release's
[ -x "$configure" ] || configure=$(realpath "$BUILD")/configure
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

# configured OPTION...
configured() {
    "$configure" -q --srcdir="$top" "$@"
}

# has FILE LINE
has() {
    grep -qFx -- "$2" "$1" || { echo "$1 has no line: $2"; exit 1; }
}

# installs TEXT : so, by a `make install` that is not run.
installs() {
    env -u MAKEFLAGS -u MAKELEVEL make -n install 2>&1 | grep -qF -- "$1" ||
        { echo "make install has not: $1"; exit 1; }
}

# shellcheck disable=SC2016 # configure's to expand
configured --prefix=/usr --libdir='${prefix}/lib/x86_64-linux-gnu' \
    --libexecdir='${exec_prefix}/libexec' --sbindir=/usr/bin \
    --sysconfdir=/etc/site --mandir=/m --with-xl=/some/xl \
    --with-save-helper-dir=/some/bin \
    --with-systemdsystemunitdir=/units --enable-sysv \
    CFLAGS=-O3 CPPFLAGS=-DX LDFLAGS=-Wl,-z,relro
has config.h '#define XLX_XL "/some/xl"'
has config.h '#define XLX_SAVE_HELPER_DIR "/some/bin"'
has config.h '#define XLX_LIBEXEC_DIR "/usr/libexec/libxl-ext"'
has config.mk 'WERROR := '
has config.mk 'CFLAGS ?= -O3'
has config.mk 'CPPFLAGS ?= -DX'
has config.mk 'LDFLAGS ?= -Wl,-z,relro'
installs /usr/lib/x86_64-linux-gnu/libxl-ext.so.0
installs /usr/lib/x86_64-linux-gnu/pkgconfig/libxl-ext.pc
installs /usr/libexec/libxl-ext
installs 'xl-ext /usr/bin'
installs /units/libxl-ext-usb.service
installs /etc/site/init.d/libxl-ext-usb
installs '/m/man'

configured --enable-werror --without-systemdsystemunitdir
has config.h '#define XLX_XL ""'
has config.h '#define XLX_LIBEXEC_DIR "/usr/local/libexec/libxl-ext"'
has config.mk 'WERROR := -Werror'
installs /usr/local/lib/libxl-ext.so.0
installs 'xl-ext /usr/local/sbin'
! (installs libxl-ext-usb.service) >/dev/null ||
    { echo "a systemd unit in spite of --without-systemdsystemunitdir"; exit 1; }
