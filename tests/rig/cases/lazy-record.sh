# SPDX-License-Identifier: LGPL-2.1-only
#
# What a guest waits for is recorded by one restore and there before it runs in
# the next. How much less it waits then depends on what it does while the record
# is made, so the figures are only printed (docs/measured.md).

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

# restored_with OPTION... : restores, has the guest do its work, waits for the
# fill; its faults are left in $faults, the pages that came for them in $waited,
# those that came ahead in $ahead. However its memory came, it is in 2 MiB pages.
restored_with() {
    local domid
    rig_time "restore $*" lazy_restore "$@" "$lazy_file" || rig_fail "restore $*"
    domid=$(rig_domid g)
    rig_guest_run -t 200 g 'pattern check /mem/p 42' ||
        rig_fail "restore $*: wrong data"
    rig_time "fill" xl-ext lazy-wait --quiet g || rig_fail "restore $*: fill"
    lazy_numbers "$domid"
    lazy_complete "$domid" || rig_fail "restore $*: see above"
    faults=$(lazy_field "$domid" faults)
    waited=$(lazy_field "$domid" fault_pages)
    ahead=$(lazy_field "$domid" prefetch_pages)
    large=$(($(/rig/tools/count-2m "$domid") * 100 / $(lazy_field "$domid" pages)))
    echo "restore $*: $large % in 2 MiB pages"
    [ "$large" -ge 90 ] || rig_fail "restore $*: $large % in 2 MiB pages"
    rig_guest_stop g
}

lazy_save pvh 1
sidecar=$lazy_file.lzx
rm -f "$sidecar"

restored_with --prefetch=1G
[ "$ahead" = 0 ] || rig_fail "$ahead pages came ahead, without a record"
[ ! -e "$sidecar" ] || rig_fail "$sidecar was written without --record"

restored_with --record=25s
before=$faults recorded=$waited
[ -s "$sidecar" ] || {
    tail -n 5 /var/log/xen/xl-ext-lazy-*.log
    rig_fail "--record wrote no $sidecar"
}

# Recorded again: the backfill holds back as it did, and hides no faults.
restored_with --record=25s --prefetch=1G
echo "faults: $before before, $faults with $ahead pages loaded ahead"
[[ $ahead -gt 0 && $ahead -ge $recorded ]] ||
    rig_fail "$recorded pages were waited for, $ahead came ahead"

restored_with --prefetch=0
[ "$ahead" = 0 ] || rig_fail "--prefetch=0 loaded $ahead pages ahead"

# Damaged: told and not used.
truncate -s 40 "$sidecar"
restored_with --prefetch=1G
[ "$ahead" = 0 ] || rig_fail "a damaged $sidecar was used"
rm "$sidecar"
