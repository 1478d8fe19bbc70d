#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# install and uninstall: everything goes again, pkg-config finds the library, a
# program links with it, only what is outside the loader's folders names one,
# and the distribution's xl is never replaced.
set -eu

dir=$(mktemp -d)
linked=$(mktemp -d) # the build's own stay as they are
trap 'rm -rf "$dir" "$linked"' EXIT

# As configured without an option; this tree may be configured for a package.
# shellcheck disable=SC2016 # make's variables
defaults=(sysconfdir=/etc 'libdir=$(exec_prefix)/lib'
    'libexecdir=$(exec_prefix)/libexec' 'sbindir=$(exec_prefix)/sbin'
    'systemdsystemunitdir=$(prefix)/lib/systemd/system' SYSV=no)

# in_make GOAL VARIABLE=VALUE...
in_make() {
    env -u MAKEFLAGS -u MAKELEVEL make -s B="$BUILD" LINKED="$linked" \
        DESTDIR="$dir" "${defaults[@]}" "$@" >/dev/null
}

# installed VARIABLE... : installs, runs `look`, and uninstalls.
installed() {
    in_make install "$@"
    look
    in_make uninstall "$@"
    left=$(find "$dir" ! -type d)
    [ -z "$left" ] || { echo "uninstall $* left: $left"; exit 1; }
}

# runpath FILE : what it has for the loader, "" for nothing.
runpath() {
    readelf -d "$dir/$1" | sed -n 's/.*(R[UN]*PATH).*\[\(.*\)\].*/\1/p'
}

no_runpath() {
    local file
    for file; do
        [ -x "$dir/$file" ] || { echo "$file: not installed"; exit 1; }
        [ -z "$(runpath "$file")" ] ||
            { echo "$file has the run path $(runpath "$file")"; exit 1; }
    done
}

# A page for each header and each page of docs/.
pages_are_there() {
    local page
    for page in include/*.h docs/*.pod; do
        page=${page##*/} page=${page/%.h/.3} page=${page%.pod}
        [ -s "$dir/opt/x/share/man/man${page##*.}/$page" ] ||
            { echo "$page is not installed"; exit 1; }
    done
}

# links FOLDER : a program with the library there.
links() {
    export PKG_CONFIG_PATH=$dir/$1/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dir
    echo '#include <libxl_ext.h>
int main(void) { xlx_ctx *c; return xlx_ctx_new(&c); }' >"$dir/main.c"
    # shellcheck disable=SC2046 # words
    $CC -o "$dir/main" "$dir/main.c" $(pkg-config --cflags --libs libxl-ext)
    LD_LIBRARY_PATH=$dir/$1 "$dir/main"
    rm "$dir/main" "$dir/main.c"
}

look() {
    [ "$(readlink "$dir/opt/x/sbin/xl")" = xl-ext ]
    [ "$(readlink "$dir/opt/x/share/bash-completion/completions/xl")" = xl-ext ]
    [ -s "$dir/opt/x/share/zsh/site-functions/_xl-ext" ]
    pages_are_there
    [ -s "$dir/opt/x/share/fish/vendor_completions.d/xl-ext.fish" ]
    LD_LIBRARY_PATH=$dir/opt/x/lib "$dir/opt/x/sbin/xl-ext" version >/dev/null
    [ "$(runpath opt/x/sbin/xl-ext)" = /opt/x/lib ]
    grep -q '^ExecStart=/opt/x/sbin/xl-ext usb-reconcile --watch$' \
        "$dir/opt/x/lib/systemd/system/libxl-ext-usb.service"
    [ ! -e "$dir/etc/init.d" ] || [ -z "$(ls "$dir/etc/init.d")" ] ||
        { echo "an init script that nobody asked for"; exit 1; }
    [ -z "$(find "$dir" -type l -name '*libxl-ext-usb*')" ] ||
        { echo "the service is enabled"; exit 1; }
    links opt/x/lib
}
installed PREFIX=/opt/x

look() {
    sh -n "$dir/etc/init.d/libxl-ext-usb"
    grep -q '^program=/usr/local/sbin/xl-ext$' "$dir/etc/init.d/libxl-ext-usb"
    [ -x "$dir/etc/init.d/libxl-ext-usb" ]
    ! grep -r '@[a-z]*dir@' "$dir/etc" "$dir/usr/local/lib/systemd" || exit 1
    no_runpath usr/local/sbin/xl-ext \
        usr/local/libexec/libxl-ext/xl-ext-{save-helper,usb-backend}
}
installed PREFIX=/usr/local SYSV=yes

# As a Debian package: multiarch, and no xl.
look() {
    [ ! -e "$dir/usr/sbin/xl" ]
    no_runpath usr/sbin/xl-ext usr/lib/x86_64-linux-gnu/libxl-ext.so.0 \
        usr/lib/libxl-ext/xl-ext-{save-helper,usb-backend}
    [ -e "$dir/units/libxl-ext-usb.service" ]
    [ -s "$dir/usr/share/zsh/vendor-completions/_xl-ext" ]
    links usr/lib/x86_64-linux-gnu
    unset PKG_CONFIG_SYSROOT_DIR
    [ "$(pkg-config --variable=libdir libxl-ext)" = /usr/lib/x86_64-linux-gnu ]
    [[ $(pkg-config --libs libxl-ext) != *-L* ]] # the linker knows it
}
installed PREFIX=/usr libdir=/usr/lib/x86_64-linux-gnu libexecdir=/usr/lib \
    systemdsystemunitdir=/units zshcompdir=/usr/share/zsh/vendor-completions

# As Fedora's.
look() {
    no_runpath usr/sbin/xl-ext
    [ "$(PKG_CONFIG_PATH=$dir/usr/lib64/pkgconfig pkg-config \
        --variable=libdir libxl-ext)" = /usr/lib64 ]
    [ -z "$(find "$dir/usr/lib64" -name systemd)" ]
}
installed PREFIX=/usr libdir=/usr/lib64

mkdir -p "$dir/opt/x/sbin"
echo 'the other xl' >"$dir/opt/x/sbin/xl"
in_make install PREFIX=/opt/x
in_make uninstall PREFIX=/opt/x
grep -q 'the other xl' "$dir/opt/x/sbin/xl" ||
    { echo "another program's xl was replaced"; exit 1; }
