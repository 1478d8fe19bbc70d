# SPDX-License-Identifier: LGPL-2.1-only
#
# A guest from an image on an NBD server, also when the server goes away and comes
# back; and no guest where there is no server. lazy-nbd-record.sh: with a
# sidecar, lazy-stock.sh: eagerly.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh
. /rig/lib/nbd.sh

check_guest() {
    rig_guest_wait g
    rig_guest_run -t 200 g 'pattern check /mem/p 42' ||
        rig_fail "$1: wrong data"
}

lazily() {
    local domid
    rig_time "$1: restore" lazy_restore "$nbd_uri" || rig_fail "$1: see above"
    domid=$(rig_domid g)
    [ "$(lazy_field "$domid" image)" = "$nbd_uri" ] || rig_fail "$1: another image"
    check_guest "$1"
    rig_time "$1: fill" xl-ext lazy-wait --quiet g
    lazy_numbers "$domid"
    lazy_complete "$domid" || rig_fail "$1: see above"
    check_guest "$1, complete"
    rig_guest_stop g
}

state_is() { [ "$(lazy_field "$domid" state)" = "$1" ]; }

server_comes_back() {
    lazy_restore_stopped "$nbd_uri" || rig_fail "server away: see above"
    lazy_confined "$pager" 2 || rig_fail "server away: not confined"
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
lazy_save pvh 1
nbd_serve "$lazy_file"
lazily pvh
server_comes_back

nbd_stop
! xl restore --lazy "$nbd_uri" 2>"$RIG_TMP/log" || rig_fail "from nothing"
grep "restore: .*$nbd_uri: cannot connect" "$RIG_TMP/log"
[ "$(wc -l <"$RIG_TMP/log")" = 1 ] || rig_fail "not one line"
lazy_no_trace || rig_fail "no server: see above"
