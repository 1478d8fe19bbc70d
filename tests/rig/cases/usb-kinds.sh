# SPDX-License-Identifier: LGPL-2.1-only
#
# A device that comes back to its port as one of another kind is not given away;
# one in a port that was assigned as such is, whatever it is, policy permitting.

. ./usb.bash

policy=/etc/xen/usb-policy.conf
watcher=
log=$rig_tmp/watch

finish() {
    local status=$?
    [ -z "$watcher" ] || kill "$watcher"
    [ $status -eq 0 ] || { cat "$log"; xl usb-assign --list; } 2>/dev/null
    xl usb-unassign $guest --all >/dev/null 2>&1
    rm -f "$policy"
    (exit $status)
    tidy
}
trap finish EXIT

attached() { shows $guest "$1" "$2" && has_driver "$1" usbfs; }
not_listed() { ! xl usb-list $guest | grep -q "$1"; }
reported() { grep -q "$1" "$log"; }

# becomes NAME TYPE : another device, in the same port and with the same serial
# number.
becomes() {
    local port=${!1#*-}
    unplug "$1" && plug "$1" "$2" port="$port" serial="${1^^}"
}

# QEMU's mouse and keyboard have one vendor and product, too.
plug device mouse port=5 serial=DEVICE
plug any mouse port=6 serial=ANY
start_guest
check "assign the device" xl usb-assign $guest "$device"
check "assign the place of another" xl usb-assign $guest "$any" --place

# --- the same numbers, another kind

xl usb-reconcile --watch >>"$log" 2>&1 &
watcher=$!
check "the device is attached" rig_wait_for 60 attached "$device" 0627:0001
check "what is in the place, too" rig_wait_for 60 attached "$any" 0627:0001
becomes device keyboard
check "a mouse that became a keyboard: told so" \
    rig_wait_for 60 reported "usb $device: .*another kind of device now"
check "its port is free" rig_wait_for 60 not_listed "$device"
check "and this host has it" rig_wait_for 20 has_driver "$device" usbhid
becomes any keyboard
check "the place has a keyboard now, and so the guest" rig_wait_for 60 eval \
    'attached "$any" 0627:0001 &&
     [ "$(rig_guest_run $guest "cat /sys/bus/usb/devices/*/bInterfaceProtocol" |
         grep -c 01)" -eq 1 ]'

# --- another device altogether

becomes device disk
check "a disk in the place of the device stays here" \
    rig_wait_for 20 has_driver "$device" usb-storage
becomes any disk
check "one in the place is the guest's" rig_wait_for 60 attached "$any" 46f4:0001
check "which reads it" rig_wait_for 20 says "rig disk" \
    rig_guest_run $guest "head -c 8 /dev/sd?"
check "the other one is still here" eval \
    'not_listed "$device" && has_driver "$device" usb-storage'
becomes device mouse
check "the device is itself again" rig_wait_for 60 attached "$device" 0627:0001

# --- what no guest may have

echo 'DENY: class=08' >"$policy"
echo 'ALLOW:' >>"$policy"
becomes any mouse
check "a mouse is allowed" rig_wait_for 60 attached "$any" 0627:0001
: >"$log"
becomes any disk
check "a disk is not, in no place" \
    rig_wait_for 60 reported "usb $any: .*forbidden by policy"
check "it is this host's" eval \
    'not_listed "$any" && has_driver "$any" usb-storage'
: >"$log"
becomes any hub
check "nor is a hub" rig_wait_for 60 reported "nothing is plugged in there"
check "the device has stayed" attached "$device" 0627:0001
