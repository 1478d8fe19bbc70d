# SPDX-License-Identifier: LGPL-2.1-only
#
# 200 times to and fro: nothing is left behind, and the backend still tells the
# guest. That is 400 plug events; QEMU's backend fell silent after 256.

. /rig/host/cases/usb.bash

cycles=${cycles:-200}

descriptors() { ls "/proc/$(cat /run/libxl-ext/usb/"$domid".pid)/fd" | wc -l; }

to_and_fro() {
    xl usb-attach $guest "$disk" >/dev/null &&
        has_driver "$disk" usbfs && xl usb-detach $guest "$disk" >/dev/null
}

plug disk disk
start_guest
check "a controller" xl usb-hc-create $guest
check "to and fro" to_and_fro
check "the driver is back" has_driver "$disk" usb-storage
state | grep -v 'ref = \|event-channel = ' >"$rig_tmp/before"
fds=$(descriptors)

started=$SECONDS
for ((i = 1; i <= cycles; i++)); do
    to_and_fro || rig_fail "cycle $i"
    [ $((i % 20)) -ne 0 ] || echo "$i cycles in $((SECONDS - started)) s"
done

check "the guest still sees it" eval \
    'xl usb-attach $guest "$disk" && rig_wait_for 20 guest_sees 46f4:0001'
check "the last time back" xl usb-detach $guest "$disk"
state | grep -v 'ref = \|event-channel = ' >"$rig_tmp/now"
check "$cycles times leave nothing" diff "$rig_tmp/before" "$rig_tmp/now"
check "nor a descriptor of the backend" [ "$(descriptors)" -le "$fds" ]
