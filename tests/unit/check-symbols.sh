#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-only
# The symbol map, the public headers and the library's exports name the same
# functions.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sed -n 's/^    \(xlx_[a-z0-9_]*\);$/\1/p' libxl-ext/libxl-ext.map |
    sort >"$dir/map"
nm -D --defined-only "$BUILD/libxl-ext.so" | sed 's/@.*//' |
    awk '$2 == "T" { print $3 }' | sort >"$dir/exported"
# A prototype starts in column 0; a call in a comment or macro does not.
cat include/*.h | grep -E '^[a-z]' | grep -v '^typedef' |
    grep -oE '\bxlx_[a-z0-9_]+\(' | tr -d '(' | sort -u >"$dir/headers"

[ -s "$dir/map" ] || { echo "the map names no symbol"; exit 1; }
diff "$dir/map" "$dir/exported" || { echo "map and exports differ"; exit 1; }
diff "$dir/map" "$dir/headers" || { echo "map and headers differ"; exit 1; }
