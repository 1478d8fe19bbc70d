#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# install and uninstall: everything goes again, pkg-config finds the library, a
# program links with it, and the distribution's xl is never replaced.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
make="env -u MAKEFLAGS -u MAKELEVEL make -s B=$BUILD"

$make install DESTDIR="$dir" PREFIX=/opt/x >/dev/null
[ "$(readlink "$dir/opt/x/sbin/xl")" = xl-ext ]
[ "$(readlink "$dir/opt/x/share/bash-completion/completions/xl")" = xl-ext ]
"$dir/opt/x/sbin/xl-ext" version >/dev/null
grep -q '^ExecStart=/opt/x/sbin/xl-ext usb-reconcile --watch$' \
    "$dir/opt/x/lib/systemd/system/libxl-ext-usb.service"
sh -n "$dir/etc/init.d/libxl-ext-usb"
grep -q '^program=/opt/x/sbin/xl-ext$' "$dir/etc/init.d/libxl-ext-usb"
[ -x "$dir/etc/init.d/libxl-ext-usb" ]
[ -z "$(grep -rl '@[a-z]*dir@' "$dir/etc" "$dir/opt/x/lib/systemd")" ]
[ -z "$(find "$dir" -type l -name '*libxl-ext-usb*')" ] ||
    { echo "the service is enabled"; exit 1; }
export PKG_CONFIG_PATH=$dir/opt/x/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$dir
echo '#include <libxl_ext.h>
int main(void) { xlx_ctx *c; return xlx_ctx_new(&c); }' >"$dir/main.c"
# shellcheck disable=SC2046 # words
$CC -o "$dir/main" "$dir/main.c" $(pkg-config --cflags --libs libxl-ext)
LD_LIBRARY_PATH=$dir/opt/x/lib "$dir/main"
rm "$dir/main" "$dir/main.c"

$make uninstall DESTDIR="$dir" PREFIX=/opt/x >/dev/null
left=$(find "$dir" ! -type d)
[ -z "$left" ] || { echo "uninstall left: $left"; exit 1; }

mkdir -p "$dir/opt/x/sbin"
echo 'the other xl' >"$dir/opt/x/sbin/xl"
$make install DESTDIR="$dir" PREFIX=/opt/x >/dev/null
$make uninstall DESTDIR="$dir" PREFIX=/opt/x >/dev/null
grep -q 'the other xl' "$dir/opt/x/sbin/xl" ||
    { echo "another program's xl was replaced"; exit 1; }
