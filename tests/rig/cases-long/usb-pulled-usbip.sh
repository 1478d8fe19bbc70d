# SPDX-License-Identifier: LGPL-2.1-only
#
# Devices that are pulled out in the middle of a transfer, 200 times: the guest is
# told, the backend is the same one all the time, and nothing is left. QEMU's aborts.
# How soon the guest is told is printed. Run it with --timeout 3600.
#
# The device is one of ours behind vhci_hcd, so that it can go in the middle of an
# answer. Linux 6.1's vhci_hcd may keep a request for ever that it is given between
# the failure of its connection and its end: such a request is in its list of those
# to be sent, and it looks for what it gives back in the list of those that were.
# Who ends that request (the backend; anybody who uses usbfs) then waits for ever in
# the kernel, with the device locked. It was seen once in 84 pulls. No other host
# controller is known to do that; cases/usb-pulled.sh pulls a disk out of one.

. /rig/host/cases/usb.bash

pulls=${pulls:-200}

backend_pids() { cat /run/libxl-ext/usb/*.pid; }
under_load() { [ "$(rig_ip_stat load 81 answers)" -ge 20 ]; }

# The guest reads for as long as there is something to be read.
read_in_guest() {
    rig_guest_run $guest '(while :; do
        usb-try bulk f426:5003 81 1000000000 16384 4 || sleep 0.05
    done) >/dev/null 2>&1 &'
}

# Whoever waits in dom0's kernel, and where.
waiting() {
    local p
    for p in /proc/[0-9]*; do
        ! grep -q "^State:.D" "$p/status" || {
            cat "$p/comm" "$p/stack"
        }
    done 2>/dev/null
}

# One pull, by the device's count of requests or at once.
pull_once() {
    if [ $(($1 % 2)) = 0 ]; then
        rig_ip_tell load pull at 3 >/dev/null
    else
        rig_ip_pull load >/dev/null
    fi
    rig_wait_for 10 guest_has_seen "$1" "$1" || {
        tail -n 3 "$rig_tmp/counts"
        xenstore-ls /libxl-ext
        xl usb-list $guest
        waiting
        rig_fail "pull $1: the guest is not told"
    }
}

again() {
    local busid
    rig_wait_for 10 eval '[ ! -e "/sys/bus/usb/devices/$load" ]' &&
        busid=$(rig_ip_again load) && [ "$busid" = "$load" ]
}

# How long the guest had to wait each time, in µs.
delays() {
    grep -h ^pulled "$rig_tmp/ip-load.log" | cut -d ' ' -f 2 >"$rig_tmp/pulled"
    awk '$3 > last { print $1; last = $3 }' "$rig_tmp/counts" |
        paste -d ' ' "$rig_tmp/pulled" - | awk '{ print $2 - $1 }' | sort -n
}

ip_plug load bulk-high
start_guest
check "a controller" xl usb-hc-create $guest
state_without_rings >"$rig_tmp/before"
first=$(backend_pids)
check "watch the guest" watch_guest
read_in_guest
started=$SECONDS
for ((i = 1; i <= pulls; i++)); do
    xl usb-attach $guest "$load" --force --wait 60 >/dev/null ||
        rig_fail "attach $i"
    rig_wait_for 20 under_load || rig_fail "attach $i: the guest does not read"
    pull_once $i
    again || rig_fail "plug $i"
    [ $((i % 20)) -ne 0 ] || echo "$i pulls in $((SECONDS - started)) s"
done
echo "ok: $pulls times pulled out under load"
kill $watcher
check "the backend is the same" [ "$(backend_pids)" = "$first" ]
delays >"$rig_tmp/delays"
median=$(sed -n "$(((pulls + 1) / 2))p" "$rig_tmp/delays")
most=$(tail -n 1 "$rig_tmp/delays")
echo "MEASURE usb_pulled_us median=$median most=$most"
check "the guest answers" rig_guest_run $guest true
as_before() {
    state_without_rings >"$rig_tmp/now"
    diff "$rig_tmp/before" "$rig_tmp/now"
}
rig_wait_for 20 as_before || true
check "nothing is left" as_before
