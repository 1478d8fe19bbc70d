#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-only
# docs/architecture.md is true to the tree: what it names is there, it has a row for
# each folder of the library, and rooms include what its table has below them. The
# paths in CONTRIBUTING.md are there too.
set -euo pipefail

page=docs/architecture.md
# What usb/ may know of the backend; the page names them.
agreed='usbd/device.h usbd/descriptors.h usbd/port_status.h usbd/state.h'

# paths PAGE : each path of this tree in code spans.
paths()
{
    # shellcheck disable=SC2016 # code spans
    grep -o '`[^`]*`' "$1" | tr -d '`' |
        grep -E '^(docs|guest|hypervisor|include|libxl-ext|tests|xl-cmds)/[^ ]*$' |
        grep -Ev 'NAME|NEW' # for the reader to fill in
}

# rooms PAGE : those of the table, from the top to the bottom.
rooms()
{
    # shellcheck disable=SC2016
    sed -n 's,^| `libxl-ext/\(.*\)/` |.*,\1,p' "$1"
}

# Names that are not there.
check_paths()
{
    local path bad=0
    for path in $(paths "$1"); do
        [ -e "$path" ] || { echo "$1: no $path"; bad=1; }
    done
    return $bad
}

# Folders of sources without a row.
check_rooms()
{
    local dir bad=0
    for dir in $(find libxl-ext -name '*.[ch]' -printf '%h\n' | sort -u); do
        rooms "$1" | grep -xF "${dir#libxl-ext/}" >/dev/null ||
            { echo "$1: $dir/ is not in the table of rooms"; bad=1; }
    done
    return $bad
}

# includes : FILE HEADER, both below libxl-ext/.
includes()
{
    grep -rEo --include='*.[ch]' '^#include "[^"]+/[^"]+"' libxl-ext |
        sed -E 's,^libxl-ext/([^:]+):#include "(.*)",\1 \2,'
}

# check_order PAGE < includes : rooms that include what stands above them.
check_order()
{
    awk -v agreed="$agreed" '
        function room(file) { sub(/\/[^\/]*$/, "", file); return file }
        BEGIN { split(agreed, list, " "); for (i in list) ok[list[i]] }
        NR == FNR { floor[$1] = NR; next }
        {
            from = room($1); to = room($2)
            if (from == to || (from ~ /^usb\// && $2 in ok) || !(to in floor))
                next
            if (floor[to] < floor[from]) {
                print $1 ": includes " $2 ", which stands above it"
                bad = 1
            }
        }
        END { exit bad }' <(rooms "$1") -
}

# What was made on purpose is found.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# shellcheck disable=SC2016 # code spans
printf '%s\n' '| `libxl-ext/lazy/` | x |' '| `libxl-ext/core/` | x |' \
    '`docs/none.md`' >"$dir/page.md"
if check_paths "$dir/page.md" >/dev/null ||
    check_rooms "$dir/page.md" >/dev/null ||
    echo 'core/a.c lazy/pager.h' | check_order "$dir/page.md" >/dev/null ||
    ! echo 'lazy/a.c core/ctx.h' | check_order "$dir/page.md"; then
    echo "check-architecture: nothing is found where something is wrong"
    exit 1
fi

[ "$(paths $page | wc -l)" -gt 50 ] || { echo "$page: no paths?"; exit 1; }
[ "$(includes | wc -l)" -gt 300 ] || { echo "no includes?"; exit 1; }
bad=0
check_paths $page || bad=1
check_paths CONTRIBUTING.md || bad=1
check_rooms $page || bad=1
includes | check_order $page || bad=1
# Who wants to be quiet calls xlx__tolerate().
if grep -rn --exclude-dir=core 'log_fn' libxl-ext; then
    echo "only core/ knows the log function"
    bad=1
fi
# A compiler looks beside the source first, and would not find the build's.
if find libxl-ext xl-cmds -name config.h | grep .; then
    echo "hides the config.h of the build"
    bad=1
fi
for header in $agreed; do
    paths $page | grep -xF "libxl-ext/$header" >/dev/null ||
        { echo "$page: does not name libxl-ext/$header"; bad=1; }
done
exit $bad
