# SPDX-License-Identifier: LGPL-2.1-only
#
# A guest from an image on an NBD server, also when the server goes away and comes
# back; with a sidecar where one says, and what was recorded in it; and no guest
# where there is no server. lazy-stock.sh: eagerly.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh
. /rig/lib/nbd.sh

check_guest() {
    rig_guest_wait g
    rig_guest_run -t 200 g 'pattern check /mem/p 42' ||
        rig_fail "$1: wrong data"
}

# lazily WHAT [OPTION]...
lazily() {
    local domid
    rig_time "$1: restore" lazy_restore "${@:2}" "$nbd_uri" ||
        rig_fail "$1: see above"
    domid=$(rig_domid g)
    [ "$(lazy_field "$domid" image)" = "$nbd_uri" ] || rig_fail "$1: another image"
    check_guest "$1"
    rig_time "$1: fill" xl-ext lazy-wait --quiet g
    lazy_numbers "$domid"
    lazy_complete "$domid" || rig_fail "$1: see above"
    check_guest "$1, complete"
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
    rig_guest_run -t 200 g 'dd if=/mem/p of=/dev/null bs=1M count=16' ||
        rig_fail "record: the guest cannot read"
    rig_time "record: finish" xl-ext lazy-finish --quiet g
    lazy_numbers "$domid"
    lazy_complete "$domid" || rig_fail "record: see above"
    waited=$(lazy_field "$domid" fault_pages)
    ahead=$(lazy_field "$domid" prefetch_pages)
    check_guest "record"
    rig_guest_stop g
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

state_is() { [ "$(lazy_field "$domid" state)" = "$1" ]; }

server_comes_back() {
    lazy_restore_stopped "$nbd_uri" || rig_fail "server away: see above"
    nbd_stop
    kill -CONT "$pager"
    rig_wait_for 60 state_is stalled || rig_fail "$(xl-ext lazy-list)"
    lazy_field "$domid" reason
    nbd_serve "$lazy_file"
    xl-ext lazy-wait -q g || rig_fail "server back: $(xl-ext lazy-list)"
    check_guest "server back"
    lazy_complete "$domid" || rig_fail "server back: see above"
    rig_guest_stop g
}

lazy_save hvm 1
nbd_serve "$lazy_file"
lazily hvm
recorded_is_there_ahead
refuses_to_record_nowhere
lazy_save pvh 1
nbd_serve "$lazy_file"
lazily pvh --sidecar="$sidecar" # which is of the other image
grep "the sidecar is not used: $sidecar: belongs to another" \
    "$rig_tmp/restore.log" || rig_fail "nothing was said of its sidecar"
server_comes_back

nbd_stop
! xl restore --lazy "$nbd_uri" 2>"$RIG_TMP/log" || rig_fail "from nothing"
grep "restore: .*$nbd_uri: cannot connect" "$RIG_TMP/log"
[ "$(wc -l <"$RIG_TMP/log")" = 1 ] || rig_fail "not one line"
lazy_no_trace || rig_fail "no server: see above"
