# SPDX-License-Identifier: LGPL-2.1-only
#
# What the distribution's own tools do to a guest that is filling, each row of the
# table in docs/lazy-restore.md; and what ours does of those that do harm.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

field() { lazy_field "$domid" "$1"; }
state_is() { [ "$(field state)" = "$1" ]; }

# One page in the backfill's time: only what the guest touches comes.
restore_paused() {
    lazy_restore "$@" "$lazy_file"
    domid=$(rig_domid g)
    rig_wait_for 20 xl-ext lazy-set g --bwlimit=1 --pause ||
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
    "$rig_xl" sysrq g h || echo "sysrq: refused"
    runs sysrq
    "$rig_xl" debug-keys q
    "$rig_xl" vcpu-list g
    runs vcpu-list
    "$rig_xl" vcpu-set g 1
    runs "vcpu-set 1"
    "$rig_xl" vcpu-set g 2
    runs "vcpu-set 2"
    "$rig_xl" sched-credit2 -d g -w 300 || echo "sched-credit2: refused"
    runs sched-credit2
    truncate -s 16M "$RIG_TMP/disk"
    if timeout 60 "$rig_xl" block-attach g "format=raw,vdev=xvdz,target=$RIG_TMP/disk"
    then
        "$rig_xl" block-list g
        timeout 60 "$rig_xl" block-detach g xvdz || echo "block-detach: $?"
    else
        echo "block-attach: $?"
    fi
    runs block-attach
    completes "harmless tools"
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

# The limit is below what the guest is to have: loads fail, and it is said.
limited() {
    restore_paused
    "$rig_xl" "$1" g 96 || echo "$1: $?"
    xl-ext lazy-set g --resume --bwlimit=none
    rig_wait_for 60 eval 'field reason | grep -q "Cannot allocate"' ||
        echo "$1: $(xl-ext lazy-list)"
    xl-ext lazy-list
    "$rig_xl" list g
    "$rig_xl" mem-max g 256
    xl-ext lazy-set g --retry || :
    completes "$1"
}

# Ours fills first.
set_by_ours() {
    restore_paused
    xl mem-set g 192
    state_is complete || rig_fail "mem-set: $(xl-ext lazy-list)"
    completes "our mem-set"
}

lazy_save pvh 2
for check in harmless dumped "limited mem-set" "limited mem-max" set_by_ours; do
    rig_time "== $check" $check
done
