# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-only
#
# Demonstration: a USB device of the host attached to a running guest, seen
# there, and detached.

. /rig/lib/rig.sh
set -u

step() { printf '\n* %s\n' "$*"; }

# run COMMAND... : shows it, runs it, says how long it took.
run() {
    printf '# %s\n' "$*"
    rig_time '  took' "$@" || rig_fail "$*"
}

guest_has_it() {
    rig_guest_run demo 'grep -qs 46f4 /sys/bus/usb/devices/*/idVendor'
}

trap 'rig_usb_unplug stick; rig_guest_stop demo' EXIT

step 'A PVH guest is created without any USB configuration. It has no device
  model, and the distribution'\''s xl cannot give it a USB device any more.'
rig_time '  guest is up' rig_guest_start demo pvh || exit 1

step 'A USB stick is plugged into the host, and has its driver there.'
busid=$(rig_usb_plug stick disk serial=DEMO) || exit 1
rig_wait_for 10 rig_usb_driver "$busid"
echo "  $busid: $(cat "/sys/bus/usb/devices/$busid/product"), driver" \
    "$(rig_usb_driver "$busid")"

step 'Attach makes a controller, starts the backend, and waits until both work.'
run xl usb-attach demo "$busid"

step 'The guest sees it and reads from it.'
rig_time '  until the guest sees it' rig_wait_for 20 guest_has_it ||
    rig_fail 'the guest does not see the stick'
rig_wait_for 20 rig_guest_run demo 'head -c 8 /dev/sda' ||
    rig_fail 'the guest cannot read the stick'
printf '  first bytes read by the guest: %s\n' \
    "$(rig_guest_run demo 'head -c 10 /dev/sda')"

step 'Our list and the distribution'\''s show the same state.'
run xl usb-list demo
run "$rig_xl" usb-list demo

step 'Detach gives the stick back to the driver of the host.'
run xl usb-detach demo "$busid"
rig_wait_for 10 rig_usb_driver "$busid" || rig_fail 'it has no driver'
echo "  $busid: driver $(rig_usb_driver "$busid")"
run xl usb-hc-destroy demo 0
