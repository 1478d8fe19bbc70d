# SPDX-License-Identifier: LGPL-2.1-only
#
# A save file that image-optimize wrote anew, a working set first, has the same
# guest in it: for the distribution's xl restore and for a lazy one. image-info
# knows the guest, image-verify finds a page that storage changed, and Xen's own
# verify-stream-v2 accepts what was written.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

restored() { # RESTORE... : of $new; every page as in the file that was saved
    local what="$type, $1"
    rig_time "$what" "$@" -p "$new" >"$rig_tmp/restore.log" 2>&1 ||
        { cat "$rig_tmp/restore.log"; rig_fail "$what: not restored"; }
    [ "$1" != lazy_restore ] || xl-ext lazy-wait --quiet g ||
        rig_fail "$what: not filled"
    rig_compare g "$lazy_file" || rig_fail "$what: pages differ"
    "$rig_xl" unpause g
    rig_guest_wait g
    rig_guest_run g 'pattern check /mem/p 42' ||
        rig_fail "$what: the pattern is gone"
    rig_guest_stop g
}

# Of an HVM guest's file it is given libxc's stream only: run by Python 3 it
# refuses whatever keys a device model has (it compares a byte with a string).
verify=
for path in /usr/lib/xen-*/bin/verify-stream-v2; do
    [ ! -f "$path" ] || verify=$path
done
[ -n "$verify" ] || echo "no verify-stream-v2 here"

verify_stream() { # ARGUMENT... : of that program
    PYTHONPATH=${verify%/bin/*}/lib/python PYTHONDONTWRITEBYTECODE=1 \
        python3 "$verify" "$@"
}

verified() { # FILE : by Xen's program, if there is one
    [ -n "$verify" ] || return 0
    local what="$type: verify-stream-v2 refuses $1" at
    at=$(grep -abom1 XENF "$1" | head -n 1 | cut -d: -f1)
    {
        dd bs=$((at - 8)) count=1 of=/dev/null status=none
        verify_stream -f libxc
    } <"$1" || rig_fail "$what (libxc's stream)"
    [ "$type" = hvm ] || verify_stream -f xl -i "$1" || rig_fail "$what"
}

for type in pvh hvm; do
    lazy_save $type 2
    new=$rig_tmp/$type.new
    xl-ext image-info --pages "$lazy_file" >"$rig_tmp/info"
    cat "$rig_tmp/info"
    grep -q '^name *g$' "$rig_tmp/info" && grep -q "^type *$type\$" \
        "$rig_tmp/info" || rig_fail "image-info does not know the guest"

    rig_time "$type: optimize" xl-ext image-optimize \
        --first=0x8000+300,0x100+3000,0xe000,0x7fff,5 "$lazy_file" "$new"
    xl-ext image-verify "$new"
    rig_time "$type: verify-stream-v2" verified "$new"
    restored "$rig_xl" restore
    [ "$RIG_XEN" = stock ] || restored lazy_restore
    rm -f "$new" "$new.lzx"
done

cp "$lazy_file" "$rig_tmp/bad"
xl-ext image-index "$rig_tmp/bad"
xl-ext image-verify "$rig_tmp/bad"
printf 'not what was there' | dd of="$rig_tmp/bad" bs=1 seek=30000000 \
    conv=notrunc status=none
if xl-ext image-verify "$rig_tmp/bad" >"$rig_tmp/verify"; then
    rig_fail "image-verify did not notice"
fi
cat "$rig_tmp/verify"
[ "$(grep -c '^gfn 0x' "$rig_tmp/verify")" = 1 ] ||
    rig_fail "not one page is wrong"
