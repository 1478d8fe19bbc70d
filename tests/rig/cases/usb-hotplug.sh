# SPDX-License-Identifier: LGPL-2.1-only
#
# USB devices of the outer machine come and go while dom0 runs.

set -eu
. /rig/lib/rig.sh

attribute() { cat "/sys/bus/usb/devices/$1/$2" 2>/dev/null || echo none; }

expect() {
    [ "$2" = "$3" ] || rig_fail "$1: '$2', expected '$3'"
    echo "ok: $1: $2"
}

rig_time plug rig_usb_plug hub hub port=6
expect "the hub" "$(rig_usb_busid hub)" 1-6
expect "its class" "$(attribute 1-6 bDeviceClass)" 09

expect "behind the hub" "$(rig_usb_plug one keyboard port=6.1 serial=ONE)" 1-6.1
expect "a twin" "$(rig_usb_plug two keyboard port=6.2 serial=TWO)" 1-6.2
expect "without serial" "$(rig_usb_plug bare keyboard port=6.3 serial=)" 1-6.3
expect "first serial" "$(attribute 1-6.1 serial)" ONE
expect "second serial" "$(attribute 1-6.2 serial)" TWO
expect "no serial" "$(attribute 1-6.3 serial)" none

expect "high speed" "$(attribute "$(rig_usb_plug d disk)" speed)" 480
expect "SuperSpeed" "$(attribute "$(rig_usb_plug s disk port=1)" speed)" 5000
expect "on the EHCI" "$(rig_usb_plug e mouse bus=ehci.0 port=1)" 3-1
expect "full speed" "$(attribute "$(rig_usb_plug f serial)" speed)" 12
lsusb -t

rig_time unplug rig_usb_unplug two
expect "the other twin stays" "$(attribute 1-6.1 serial)" ONE
rig_usb_unplug hub
expect "gone with the hub" "$(attribute 1-6.1 serial)" none
for id in bare d s e f; do
    rig_usb_unplug $id 2>/dev/null || expect "went with the hub" $id bare
done
! rig_usb_plug nothing toaster || rig_fail "a toaster was plugged in"
