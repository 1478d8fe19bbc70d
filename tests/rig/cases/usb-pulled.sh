# SPDX-License-Identifier: LGPL-2.1-only
#
# A disk that is pulled out while its guest reads it, again and again: the guest is
# told, the backend's processes are the same ones all the time, and nothing is left.
# QEMU's backend aborts. In cases-long a device goes in the middle of an answer.

. ./usb.bash

pulls=10

backend_pids() {
    local pid
    pid=$(cat "/run/libxl-ext/usb/$domid.pid")
    echo "$pid $(cat "/proc/$pid/task/$pid/children")"
}
read_in_guest() {
    rig_guest_run $guest 'd=$(ls /dev/sd? | head -n 1) && test -n "$d" &&
        dd if=$d of=/dev/null bs=64k count=1 2>/dev/null &&
        { while dd if=$d of=/dev/null bs=64k iflag=direct; do :; done &
        } >/dev/null 2>&1'
}
is_freed() { ! xl usb-list $guest | grep -q "$1"; }

plug disk disk
start_guest
check "a controller" xl usb-hc-create $guest
state_without_rings >"$rig_tmp/before"
first=$(backend_pids)
check "watch the guest" watch_guest
for ((i = 1; i <= pulls; i++)); do
    xl usb-attach $guest "$disk" >/dev/null || rig_fail "attach $i"
    rig_wait_for 30 read_in_guest || rig_fail "attach $i: the guest cannot read"
    sleep 0.3
    unplug disk
    rig_wait_for 10 guest_has_seen $i $i ||
        rig_fail "pull $i: the guest has seen $(tail -n 1 "$rig_tmp/counts")"
    rig_wait_for 10 is_freed "$disk" || rig_fail "pull $i: the port is not freed"
    plug disk disk
done
echo "ok: $pulls times pulled out while it is read"
kill $watcher
check "the backend is the same" [ "$(backend_pids)" = "$first" ]
check "the guest answers" rig_guest_run $guest true
as_before() {
    state_without_rings >"$rig_tmp/now"
    diff "$rig_tmp/before" "$rig_tmp/now"
}
rig_wait_for 20 as_before || true
check "nothing is left" as_before
