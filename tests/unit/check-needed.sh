#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# What is loaded at every start of our programs: nothing that is seldom used.
# libxenlight brings libxenguest, three packers and more along.
set -eu

needed=$(readelf -d "$BUILD/libxl-ext.so" "$BUILD/xl-ext" \
    "$BUILD/xl-ext-save-helper" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
echo "$needed" | grep -q '^libxenctrl\.' || { echo "no libraries?"; exit 1; }
if echo "$needed" | grep -E 'libxenlight|libxenguest|libnbd'; then
    echo "is loaded at every start"
    exit 1
fi
