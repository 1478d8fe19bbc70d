# SPDX-License-Identifier: LGPL-2.1-only
#
# xl restore --fast on the distribution's Xen: every page is what was saved, nine
# tenths of them in 2 MiB pages; a wrong page, and a helper that is killed, leave
# nothing.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

blocks() { /rig/tools/m2p-blocks; }

# restored WHAT COMMAND... : by our helper, which says nothing; then paused.
# How many 2 MiB blocks it has more than there were is left in $large.
restored() {
    local what=$1 before
    shift
    before=$(blocks)
    rig_time "$what" "$@" >"$RIG_TMP/said" 2>&1 ||
        rig_fail "$what: $(<"$RIG_TMP/said")"
    ! grep 'fast restore is not possible' "$RIG_TMP/said" || rig_fail "$what"
    large=$(($(blocks) - before))
}

# equal WHAT FILE : all of the guest, which goes on afterwards.
equal() {
    rig_compare g "$2" >"$RIG_TMP/compared" ||
        { cat "$RIG_TMP/compared"; rig_fail "$1: pages differ"; }
    cat "$RIG_TMP/compared"
    "$rig_xl" unpause g
    rig_guest_run -t 120 g 'pattern check /mem/p 42' || rig_fail "$1: data"
    lazy_no_processes || rig_fail "$1: something is left"
    rig_guest_stop g
}

# in_large WHAT MIB : nine tenths of it.
in_large() {
    echo "$1: $((large * 2)) of $2 MiB in 2 MiB pages"
    [ $((large * 20)) -ge $((9 * $2)) ] || rig_fail "$1: too few 2 MiB pages"
}

# refused WHAT LINE COMMAND... : fails with a line like that, and leaves nothing.
refused() {
    local what=$1 line=$2
    shift 2
    ! "$@" >"$RIG_TMP/said" 2>&1 || rig_fail "$what: restored"
    # shellcheck disable=SC2053 # a pattern
    grep -m 1 "$line" "$RIG_TMP/said" || rig_fail "$what: $(<"$RIG_TMP/said")"
    lazy_no_trace || rig_fail "$what: something is left"
}

lazy_save pvh 1
file=$lazy_file
restored "pvh, the distribution's" "$rig_xl" restore -p "$file"
[ $large -lt 12 ] || rig_fail "$large blocks: then nothing is shown by them"
rig_guest_stop g
restored 'pvh, fast' xl restore --fast -p "$file"
in_large pvh 256
equal pvh "$file"

# Elsewhere cases-releases/restore.sh does that, with a guest of this release.
if [ "$RIG_SUITE" = bookworm ]; then
    lazy_save hvm 1
    restored 'hvm, fast' xl restore --fast -p "$lazy_file"
    in_large hvm 256
    equal hvm "$lazy_file"
fi

# Bytes in the middle.
cp "$file" "$RIG_TMP/bad"
xl image-index "$RIG_TMP/bad" >"$RIG_TMP/said" 2>&1 ||
    rig_fail "image-index: $(<"$RIG_TMP/said")"
printf 'this is no page!' | dd of="$RIG_TMP/bad" bs=1 conv=notrunc status=none \
    seek=$(($(stat -c %s "$file") / 2))
refused 'a wrong page' 'its checksum is wrong' \
    xl restore --fast -p "$RIG_TMP/bad"
rm "$RIG_TMP/bad" "$RIG_TMP/bad.lzx"

# The helper is killed while another process loads, which ends with it.
helpers() {
    local comm name
    for comm in /proc/[0-9]*/comm; do
        read -r name 2>/dev/null <"$comm" || continue
        [ "$name" != xl-ext-save-hel ] || echo "${comm//[^0-9]/}"
    done
}
kill_helper() {
    local restore helper
    xl restore --fast -p "$file" &
    restore=$!
    while kill -0 $restore; do
        { read -r helper && read -r _; } < <(helpers | sort -n) || continue
        kill -KILL "$helper"
    done
    wait $restore
}
refused 'killed in the middle' 'died due to fatal signal Killed' kill_helper
