# SPDX-License-Identifier: LGPL-2.1-only
#
# The pager is killed while it records: the next one goes on, and the sidecar has
# what the guest waited for before and after.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

lazy_save pvh 1
sidecar=$RIG_TMP/g.lzx

waited() { lazy_field "$domid" fault_pages; }
has_new_pager() { [ "$(lazy_field "$domid" pid)" != "$pager" ]; }

# read_part SKIP : 8 MiB of the guest's data
read_part() {
    rig_guest_run -t 200 g "dd if=/mem/p of=/dev/null bs=1M count=8 skip=$1" ||
        rig_fail "the guest cannot read"
}

# Nothing is brought but what the guest waits for.
lazy_restore --record=200s --sidecar="$sidecar" "$lazy_file" ||
    rig_fail "see above"
domid=$(rig_domid g)
rig_guest_wait g 120 || rig_fail "no answer"
read_part 0
rig_wait_for 10 eval '[ "$(waited)" -gt 1000 ]' || rig_fail "$(waited) faults"
before=$(waited)
pager=$(lazy_field "$domid" pid)
lazy_confined "$pager" a || rig_fail "not confined"
kill -KILL "$pager"
rig_wait_for 20 has_new_pager || rig_fail "no new pager: $(xl-ext lazy-list)"
[ ! -e "$sidecar" ] || rig_fail "a sidecar before all memory was there"
read_part 8
xl-ext lazy-finish --quiet g
lazy_numbers "$domid"
lazy_complete "$domid" || rig_fail "see above"
all=$(waited)

tail -n 5 "/var/log/xen/xl-ext-lazy-$domid.log"
recorded=$(xl-ext image-info --json --sidecar="$sidecar" "$lazy_file" |
    sed -n 's/.*"working_set_pages": *\([0-9]*\).*/\1/p')
echo "waited for: $before pages, killed, $all pages in all; $recorded recorded"
[ "$all" -gt $((before + 1000)) ] || rig_fail "too few after the kill"
[ "${recorded:-0}" -ge "$all" ] || rig_fail "not all are recorded"
rig_guest_run -t 200 g 'pattern check /mem/p 42' || rig_fail "wrong data"
rig_guest_stop g
