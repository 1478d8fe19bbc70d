# SPDX-License-Identifier: LGPL-2.1-only
#
# Plugs on one controller, each of which the guest is told of. 1,000 in cases-long,
# as QEMU's backend falls silent after 256 plug events.

. /rig/host/cases/usb.bash

plugs=${plugs:-20}

plug tablet tablet
start_guest
check "a controller" xl usb-hc-create $guest
state_without_rings >"$rig_tmp/before"
check "watch the guest" watch_guest
started=$SECONDS
for ((i = 1; i <= plugs; i++)); do
    xl usb-attach $guest "$tablet" >/dev/null || rig_fail "attach $i"
    rig_wait_for 10 guest_has_seen $i $((i - 1)) || rig_fail "plug $i: not seen"
    xl usb-detach $guest "$tablet" >/dev/null || rig_fail "detach $i"
    rig_wait_for 10 guest_has_seen $i $i || rig_fail "plug $i: seen for ever"
    [ $((i % 10)) -ne 0 ] || echo "$i plugs in $((SECONDS - started)) s"
done
echo "ok: the guest has seen $plugs plugs"
kill $watcher
state_without_rings >"$rig_tmp/now"
check "they leave nothing" diff "$rig_tmp/before" "$rig_tmp/now"
