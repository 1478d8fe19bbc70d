# SPDX-License-Identifier: LGPL-2.1-only
#
# What the distribution's own tools do to a guest that is filling, each row of the
# table in docs/lazy-restore.md; and what ours does of those that do harm.

set -eu
balloon=/sys/devices/system/xen_memory/xen_memory0/info
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

field() { lazy_field "$domid" "$1"; }
state_is() { [ "$(field state)" = "$1" ]; }

# One page in the backfill's time: only what the guest touches comes.
restore_paused() {
    lazy_restore --bwlimit=1 "$@" "$lazy_file"
    domid=$(rig_domid g)
    rig_wait_for 20 xl-ext lazy-set g --pause ||
        rig_fail "no pager listens"
    rig_guest_wait g
}

runs() {
    rig_guest_run g true || rig_fail "$1: the guest does not run"
    state_is filling || rig_fail "$1: $(xl-ext lazy-list)"
    echo "$1: runs, $(field done) of $(field held_back) pages"
}

completes() {
    timeout 60 xl-ext lazy-finish -q g || rig_fail "$1: $(xl-ext lazy-list)"
    rig_guest_run -t 120 g 'pattern check /mem/p 42' ||
        rig_fail "$1: wrong data"
    lazy_complete "$domid" || rig_fail "$1: see above"
    rig_guest_stop "${2:-g}"
}

harmless() {
    restore_paused
    "$rig_xl" rename g h
    "$rig_xl" rename h g
    runs rename
    "$rig_xl" sysrq g h
    runs sysrq
    "$rig_xl" vcpu-list g >/dev/null
    runs vcpu-list
    "$rig_xl" sched-credit2 -d g -w 300
    runs sched-credit2
    completes "harmless tools"
}

# A disk that comes while the guest fills: it is granted pages, in and out.
disk_attached() {
    local loop
    modprobe loop
    modprobe xen-blkback
    truncate -s 4M "$RIG_TMP/disk"
    loop=$(losetup -f --show "$RIG_TMP/disk")
    restore_paused
    "$rig_xl" block-attach g "phy:$loop" xvdb w
    rig_wait_for 20 rig_guest_run g 'test -b /dev/xvdb' ||
        rig_fail "block-attach: no disk"
    rig_guest_run -t 60 g '
        pattern write /dev/xvdb 4 7 && sync &&
        echo 3 >/proc/sys/vm/drop_caches && pattern check /dev/xvdb 7' ||
        rig_fail "block-attach: the disk has other data"
    runs block-attach
    "$rig_xl" block-detach g xvdb
    runs block-detach
    completes block-attach
    losetup -d "$loop"
}

# Says that it is done, and writes what is there.
dumped() {
    local size
    restore_paused
    "$rig_xl" pause g
    timeout 200 "$rig_xl" dump-core g "$RIG_TMP/core" || echo "dump-core: $?"
    size=$(stat -c %s "$RIG_TMP/core")
    echo "dump-core: $((size >> 20)) of $(($(field pages) >> 8)) MiB"
    "$rig_xl" unpause g
    rm "$RIG_TMP/core"
    runs dump-core
    completes dump-core
}

# xl list counts only what is there: the guest's balloon says what it gave back.
has_at_most() {
    local kb
    kb=$(rig_guest_run g cat "$balloon/current_kb") && [ "$kb" -le "$1" ]
}

# What is out can come back, and so the guest's balloon goes on.
limited() {
    restore_paused
    "$rig_xl" mem-set g 192
    runs mem-set
    rig_wait_for 90 has_at_most $((192 << 10)) || rig_fail "$("$rig_xl" list g)"
    state_is filling || rig_fail "mem-set: $(xl-ext lazy-list)"
    completes mem-set
}

# Ours fills first.
set_by_ours() {
    restore_paused
    xl mem-set g 192
    state_is complete || rig_fail "mem-set: $(xl-ext lazy-list)"
    completes "our mem-set"
}

lazy_save pvh 1
for check in set_by_ours harmless limited disk_attached dumped; do
    rig_time "== $check" $check
done
