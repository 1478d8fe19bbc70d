# SPDX-License-Identifier: LGPL-2.1-only
#
# One page that is out is touched by all vcpus at once: all of them sleep. With no
# room in the ring nobody sleeps in Xen: a page is given back at once, vcpus that
# touch pages are paused, and paging ends before they have run.

set -eu
. /rig/lib/rig.sh
. /rig/lib/paged.sh

[ "$RIG_XEN" != stock ] || { echo "nothing can be out"; exit 0; }

# The requests of dom0 stay in the ring until all pages are there. A vcpu that
# slept in Xen would not have given the page back, and be in the way of the end.
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
    rig_wait_for 30 paged_said '^ok: given back' ||
        rig_fail "not given back while the ring is full"
    rig_guest_run g 'touch /run/further'
    sleep 4
    paged_in
    for mapper in "${mappers[@]}"; do wait "$mapper"; done
    paged_finish "two vcpus behind a full ring"
    [ "$(paged_asked paused)" = 0 ] ||
        rig_fail "a vcpu found room in the ring"
    grep -q '^busy 0' "$paged_answered" ||
        rig_fail "a vcpu slept in Xen, in the way of the end"
}

rig_guest_start g pvh vcpus=2
rig_time "== 2 vcpus, one page" paged_touch_together 2
rig_time "== behind a full ring" touch_behind_full_ring
rig_guest_stop g
