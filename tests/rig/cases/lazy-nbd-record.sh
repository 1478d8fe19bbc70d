# SPDX-License-Identifier: LGPL-2.1-only
#
# An image on an NBD server has a sidecar where one says: what is recorded in it
# is there ahead the next time. Another image's is not used; and nothing is
# restored where nothing can be recorded.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh
. /rig/lib/nbd.sh

check_and_stop() {
    rig_guest_run -t 200 g 'pattern check /mem/p 42' || rig_fail "wrong data"
    rig_guest_stop g
}

sidecar=$RIG_TMP/g.lzx

# Part of its memory is used, and nothing else brought meanwhile; then the rest is.
# $waited pages came when the guest waited for them, $ahead before it ran.
recording() {
    local domid
    lazy_restore --record=200s --sidecar="$sidecar" "$nbd_uri" ||
        rig_fail "record: see above"
    domid=$(rig_domid g)
    rig_guest_wait g 120 || rig_fail "record: no answer"
    rig_guest_run -t 200 g 'dd if=/mem/p of=/dev/null bs=1M count=4' ||
        rig_fail "record: the guest cannot read"
    rig_time "record: finish" xl-ext lazy-finish --quiet g
    lazy_numbers "$domid"
    lazy_complete "$domid" || rig_fail "record: see above"
    waited=$(lazy_field "$domid" fault_pages)
    ahead=$(lazy_field "$domid" prefetch_pages)
    check_and_stop
    [ -s "$sidecar" ] || {
        cat "/var/log/xen/xl-ext-lazy-$domid.log"
        rig_fail "--record wrote no $sidecar"
    }
}

recorded_is_there_ahead() {
    local before
    recording
    before=$waited
    [ "$ahead" = 0 ] || rig_fail "$ahead pages came ahead, without a record"
    recording
    echo "waited for: $before pages, then $waited with $ahead loaded ahead"
    [ "$ahead" -gt 0 ] || rig_fail "nothing came ahead"
    [ $((waited * 4)) -lt "$before" ] ||
        rig_fail "$before pages were waited for before, $waited with a record"
}

refuses_to_record_nowhere() {
    ! xl restore --lazy --record --sidecar=/nowhere/x "$nbd_uri" \
        2>"$RIG_TMP/log" || rig_fail "recorded nowhere"
    grep "restore: /nowhere/x: " "$RIG_TMP/log"
    [ "$(wc -l <"$RIG_TMP/log")" = 1 ] || rig_fail "not one line"
    lazy_no_trace || rig_fail "recorded nowhere: see above"
}

of_another_image() {
    local domid
    lazy_restore --sidecar="$sidecar" "$nbd_uri" || rig_fail "see above"
    grep "the sidecar is not used: $sidecar: does not match" \
        "$rig_tmp/restore.log" || rig_fail "nothing was said of its sidecar"
    domid=$(rig_domid g)
    xl-ext lazy-wait --quiet g || rig_fail "of another image: fill"
    [ "$(lazy_field "$domid" prefetch_pages)" = 0 ] || rig_fail "it was used"
    check_and_stop
}

lazy_save pvh 1
nbd_serve "$lazy_file"
recorded_is_there_ahead
refuses_to_record_nowhere
lazy_save hvm 1
nbd_serve "$lazy_file"
of_another_image
