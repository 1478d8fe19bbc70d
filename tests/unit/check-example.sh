#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# The examples of the documentation build against the public headers and the
# library alone, and run.
set -eu

wrong=one-argument # what is a wrong use of the next one

# check NAME ARGUMENT... : builds it; without Xen it says so.
check() {
    name=$1
    shift
    $CC -std=c99 -pedantic -Wall -Wextra -Werror -Iinclude \
        -o "$BUILD/$name" "docs/$name.c" -L"$BUILD" -lxl-ext \
        -Wl,-rpath,"$(realpath "$BUILD")"
    status=0
    # shellcheck disable=SC2086 # none or more
    "$BUILD/$name" $wrong 2>/dev/null || status=$?
    [ $status -eq 2 ] || { echo "$name: no usage: exit status $status"; exit 1; }
    status=0
    said=$("$BUILD/$name" "$@" 2>&1) || status=$?
    case $status:$said in
    0:* | 1:error:*) ;;
    *) echo "$name: exit status $status: $said"; exit 1 ;;
    esac
}

check example-usb
check example-lazy /nonexistent/helper /nonexistent/file no-such-guest
wrong=
check example-evtchn no-such-guest
check example-evtchn no-such-guest 4
