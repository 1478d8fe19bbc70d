#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# No two files of the library call each other, by whatever way round: who reads
# one can begin with what it calls.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# calls : from the names of symbols on, FILE FILE for each call into another.
calls()
{
    awk '{ sub(/:$/, "", $1); sub(/.*libxl-ext\//, "", $1) }
         $3 == "U" { used[$1, $2] }
         $3 ~ /^[TDBR]$/ { owner[$2] = $1 }
         END {
             for (use in used) {
                 split(use, part, SUBSEP)
                 if (part[2] in owner && owner[part[2]] != part[1])
                     print part[1], owner[part[2]]
             }
         }'
}

# A circle that was made on purpose is found.
printf '%s\n' 'x/a.o: one T' 'x/a.o: two U' 'x/b.o: two T' 'x/b.o: one U' |
    calls >"$dir/calls"
if tsort "$dir/calls" >"$dir/order" 2>&1; then
    echo "a circle was not found"
    exit 1
fi

mapfile -t files < <(find libxl-ext -name '*.c')
[ ${#files[@]} -gt 100 ] || { echo "where is the library?"; exit 1; }
# Not by *.o: a file that is no more may have left one.
for file in "${files[@]}"; do
    nm -A -P "$BUILD/obj/${file%.c}.o"
done | calls >"$dir/calls"
[ "$(wc -l <"$dir/calls")" -gt 200 ] || { echo "where are the calls?"; exit 1; }
tsort "$dir/calls" >"$dir/order" 2>&1 || {
    echo "files that call each other:"
    grep '^tsort: .*\.o$' "$dir/order" | sort -u
    exit 1
}
