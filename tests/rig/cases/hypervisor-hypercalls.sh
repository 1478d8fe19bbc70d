# SPDX-License-Identifier: LGPL-2.1-only
#
# A running guest makes hypercalls whose arguments, lists and results lie in
# pages that are out; and it gives such pages back, or replaces them, while they
# are out or on their way in.

set -eu
. /rig/lib/rig.sh
. /rig/lib/paged.sh

[ "$RIG_XEN" != stock ] || { echo "nothing can be out"; exit 0; }

# Each of the pages was out, and its vcpu was paused until it was there.
hypercalls() {
    paged_out 1 hypercalls
    paged_go
    paged_finish "hypercalls"
    paged_in
    [ "$(paged_asked paused)" -ge \
        "$(rig_guest_run g 'grep -c ^gfn /run/paged')" ] ||
        rig_fail "only $(paged_asked paused) pages were waited for"
}

replace() {
    paged_out 99 replace
    paged_go
    # shellcheck disable=SC2016 # a pattern
    rig_wait_for 30 eval '[ "$(paged_asked paused)" = 2 ]' ||
        rig_fail "not replaced: $(<"$paged_answered")"
    paged_in
    paged_finish "pages replaced"
    grep '^drop' "$paged_answered" || rig_fail "the pager was not told"
}

rig_guest_start g pvh vcpus=2
rig_time "== pages replaced" replace
rig_time "== hypercalls" hypercalls
rig_guest_stop g
