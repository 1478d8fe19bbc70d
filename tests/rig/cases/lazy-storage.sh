# SPDX-License-Identifier: LGPL-2.1-only
#
# What is promised when the save file is not what it was (docs/lazy-restore.md):
# the guest stands still and says why, never reads anything else than what was
# saved, and goes on when the file is right again.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

state_is() { [ "$(lazy_field "$domid" state)" = "$1" ]; }
is_paused() { xl list g | grep -q -- ' --p--- '; }

check_data() {
    rig_guest_run -t 120 g 'pattern check /mem/p 42' ||
        rig_fail "$1: wrong data"
}

# Then it goes on with a file of which three quarters are missing.
restore_from_short_file() {
    cp "$lazy_file" "$RIG_TMP/file"
    lazy_restore_stopped "$RIG_TMP/file"
    truncate -s $(($(stat -c %s "$lazy_file") / 4)) "$RIG_TMP/file"
    kill -CONT "$pager"
}

stall() {
    restore_from_short_file
    rig_wait_for 30 state_is stalled || rig_fail "$1: $(xl-ext lazy-list)"
    xl-ext lazy-list
    is_paused || rig_fail "$1: the guest is not paused"
    lazy_field "$domid" reason | grep 'gfn 0x.*read of the save file' ||
        rig_fail "$1: $(lazy_field "$domid" reason)"
}

goes_on_when_file_is_back() {
    stall "file cut short"
    grep stalled "/var/log/xen/xl-ext-lazy-$domid.log" || rig_fail "no log"
    [ "$(grep -c stalled "/var/log/xen/xl-ext-lazy-$domid.log")" = 1 ] ||
        rig_fail "file cut short: not said once"
    cat "$lazy_file" >"$RIG_TMP/file"
    # The pager tries again by itself, too, and may be done by now.
    xl-ext lazy-set g --retry || state_is complete ||
        rig_fail "file back: no pager listens"
    xl-ext lazy-wait -q g || rig_fail "file back: $(xl-ext lazy-list)"
    check_data "file back"
    lazy_complete "$domid" || rig_fail "file back: see above"
    rig_guest_stop g
}

destroyed_while_stalled() {
    stall "file cut short again"
    rig_guest_stop g
    lazy_no_trace || rig_fail "destroyed while stalled: see above"
}

bad_pages_are() { [ "$(lazy_field "$domid" bad_pages)" = "$1" ]; }
all_but() {
    [ $(($(lazy_field "$domid" held_back) - $(lazy_field "$domid" "done"))) = "$1" ]
}

# A page is another one than when the sidecar was written: all others come, and
# the guest runs, as nothing of it needs that page.
checksum_wrong() {
    local at old
    cp "$lazy_file" "$RIG_TMP/file"
    xl-ext image-index "$RIG_TMP/file" || rig_fail "no sidecar"
    lazy_restore_stopped "$RIG_TMP/file"
    at=$(($(stat -c %s "$RIG_TMP/file") / 2))
    old=$(dd if="$RIG_TMP/file" bs=1 skip=$at count=4096 2>/dev/null | base64)
    dd if=/dev/urandom of="$RIG_TMP/file" bs=1 seek=$at count=4096 \
        conv=notrunc 2>/dev/null
    kill -CONT "$pager"
    # 4096 bytes at any place are in two pages.
    rig_wait_for 60 eval 'all_but 2 && bad_pages_are 2' ||
        rig_fail "checksum: $(xl-ext lazy-list --json)"
    xl-ext lazy-list
    lazy_field "$domid" reason | grep 'checksum is wrong' || rig_fail "reason"
    if state_is filling; then
        is_paused && rig_fail "checksum: the guest is paused"
        rig_guest_run g 'true' || rig_fail "checksum: the guest does not run"
    fi
    echo "$old" | base64 -d |
        dd of="$RIG_TMP/file" bs=1 seek=$at conv=notrunc 2>/dev/null
    xl-ext lazy-set g --retry || state_is complete ||
        rig_fail "checksum: no pager listens"
    xl-ext lazy-wait -q g || rig_fail "checksum right again: not complete"
    check_data "checksum right again"
    rig_guest_stop g
    rm "$RIG_TMP/file.lzx"
}

# What it had opened is what it reads.
file_replaced() {
    cp "$lazy_file" "$RIG_TMP/file"
    lazy_restore_stopped "$RIG_TMP/file"
    head -c 65536 /dev/urandom >"$RIG_TMP/other"
    if [ "$1" = unlinked ]; then
        rm "$RIG_TMP/file"
    else
        mv "$RIG_TMP/other" "$RIG_TMP/file"
    fi
    kill -CONT "$pager"
    xl-ext lazy-wait -q g || rig_fail "file $1: not complete"
    check_data "file $1"
    rig_guest_stop g
    rm -f "$RIG_TMP/file"
}

lazy_save pvh 1
goes_on_when_file_is_back
checksum_wrong
file_replaced unlinked
file_replaced replaced
destroyed_while_stalled
