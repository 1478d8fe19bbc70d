#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# The example of the documentation builds against the public headers and the
# library alone, and runs.
set -eu

$CC -std=c99 -pedantic -Wall -Wextra -Werror -Iinclude -o "$BUILD/example-usb" \
    docs/example-usb.c -L"$BUILD" -lxl-ext -Wl,-rpath,"$(realpath "$BUILD")"
status=0
"$BUILD/example-usb" one-argument 2>/dev/null || status=$?
[ $status -eq 2 ] || { echo "no usage: exit status $status"; exit 1; }

# Where there is no Xen, it says so.
status=0
said=$("$BUILD/example-usb" 2>&1) || status=$?
case $status:$said in
0:* | 1:error:*) ;;
*) echo "exit status $status: $said"; exit 1 ;;
esac
