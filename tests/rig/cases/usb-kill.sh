# SPDX-License-Identifier: LGPL-2.1-only
#
# kill -9 at any moment of an attach or detach: the next command finds its way,
# and in the end nothing is left behind. Then many attaches and detaches.

. ./usb.bash

plug disk disk
plug tablet tablet
start_guest
state >"$rig_tmp/before"

# killed_after MS COMMAND... : its messages are of no interest.
killed_after() {
    local ms=$1 pid
    shift
    "$@" >/dev/null 2>&1 &
    pid=$!
    sleep "$(printf '0.%03d' "$ms")"
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
}

# Attached, by the killed command or by this one.
attach_again() {
    local out
    out=$(xl usb-attach $guest "$disk" 2>&1) ||
        [[ $out == *"attached already to domain $domid"* ]] ||
        { echo "$out"; return 1; }
}

# The same for a detach.
detach_again() {
    local out
    out=$(xl usb-detach $guest "$disk" 2>&1) ||
        [[ $out == *"not attached to domain $domid"* ]] ||
        { echo "$out"; return 1; }
}

for ms in 40 120 200 300 400 500 650 800; do
    killed_after $ms xl usb-attach $guest "$disk"
    check "attach, after one that was killed at $ms ms" attach_again
    check "it is really there" rig_wait_for 10 has_driver "$disk" usbfs
    killed_after $ms xl usb-detach $guest "$disk"
    check "detach, after one that was killed at $ms ms" detach_again
    check "the host has it" has_driver "$disk" usb-storage
done
check "the guest can still have it" xl usb-attach $guest "$disk"
check "and see it" rig_wait_for 10 guest_sees 46f4:0001
check "the controller goes" xl usb-hc-destroy $guest 0
check "nothing is left" unchanged

# --- many times

descriptors() { ls /proc/"$(cat /run/libxl-ext/usb/"$domid".pid)"/fd | wc -l; }

check "a controller" xl usb-hc-create $guest
check "once" eval "xl usb-attach $guest $disk && xl usb-detach $guest $disk"
state >"$rig_tmp/before"
fds=$(descriptors)
cycles=${USB_CYCLES:-20}
for ((i = 0; i < cycles; i++)); do
    xl usb-attach $guest "$disk" >/dev/null &&
        xl usb-detach $guest "$disk" >/dev/null || rig_fail "cycle $i"
done
check "$cycles times to and fro leave nothing" unchanged
check "nor a descriptor of the backend" [ "$(descriptors)" -le "$fds" ]
