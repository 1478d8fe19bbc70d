# SPDX-License-Identifier: LGPL-2.1-only
#
# A guest's vector policy: the guest is told at once, and by the watcher, which
# has given up what it does not need, after a restore; bad lists are refused.
# cases-long/evtchn-devices.sh has a driver that obeys.

set -eu
. /rig/lib/rig.sh

node() { xenstore-read "/local/domain/$(rig_domid g)/libxl-ext/vectors"; }
is_told() { [ "$(node)" = "$1" ]; }

rig_guest_start g pvh
xl evtchn-policy g --vectors=vif,blk
is_told vif,vbd || rig_fail "not told: $(node)"
xl evtchn-policy | grep -E '^[0-9]+ +g +vif,vbd$' ||
    rig_fail "$(xl evtchn-policy)"
! xl evtchn-policy g --vectors=vif,, 2>/dev/null || rig_fail "vif,, was taken"

xl usb-reconcile --watch >"$RIG_TMP/watch" 2>&1 & watcher=$!
trap 'kill $watcher 2>/dev/null || :' EXIT
"$rig_xl" save g "$RIG_TMP/g.save" 2>/dev/null
"$rig_xl" restore "$RIG_TMP/g.save" 2>/dev/null
rig_wait_for 20 is_told vif,vbd ||
    rig_fail "restored: not told: $(cat "$RIG_TMP/watch")"
grep -E '^NoNewPrivs:[[:space:]]*1$' "/proc/$watcher/status" ||
    rig_fail "the watcher is not confined"

xl evtchn-policy g --remove
! node 2>/dev/null || rig_fail "still told: $(node)"
rig_guest_stop g
