# SPDX-License-Identifier: LGPL-2.1-only
#
# One page that is out is touched by all vcpus at once: all of them sleep. Paging
# ends with a vcpu asleep in Xen that found no room in the ring: not before it
# has run.

set -eu
. /rig/lib/rig.sh
. /rig/lib/paged.sh

[ "$RIG_XEN" != stock ] || { echo "nothing can be out"; exit 0; }

# The requests of dom0 stay in the ring until all pages are there.
touch_behind_full_ring() {
    local gfns mapper mappers=()
    paged_out 99 behind
    gfns=$(rig_guest_run g "sed -n 's/^gfn //p' /run/paged" | head -n 8)
    for gfn in $gfns; do
        "$rig_tools/map-page" "$(rig_domid g)" "$gfn" &
        mappers+=($!)
    done
    # shellcheck disable=SC2016 # a pattern
    rig_wait_for 30 eval '[ "$(paged_asked runs)" = 8 ]' ||
        rig_fail "the ring is not full: $(<"$paged_answered")"
    paged_go
    sleep 2
    paged_in
    for mapper in "${mappers[@]}"; do wait "$mapper"; done
    paged_finish "one vcpu behind a full ring"
    grep -q '^busy [1-9]' "$paged_answered" ||
        rig_fail "paging ended under a vcpu that slept in Xen"
}

rig_guest_start g pvh vcpus=2
rig_time "== 2 vcpus, one page" paged_touch_together 2
rig_time "== behind a full ring" touch_behind_full_ring
rig_guest_stop g
