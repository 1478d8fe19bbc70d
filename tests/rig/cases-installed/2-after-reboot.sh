# SPDX-License-Identifier: LGPL-2.1-only
#
# dom0 has booted anew: the service gives the guest its device again. The
# packages are purged: nothing of them is left, and the host has its device.

set -eu
. ./installed.bash

systemctl is-active libxl-ext-usb || {
    systemctl status --no-pager libxl-ext-usb
    rig_fail "the service does not run"
}
start_guest
rig_wait_for 60 guest_has_tablet || rig_fail "the device does not come back"
step "the device is back after a reboot of dom0"
rig_guest_stop g
rig_wait_for 20 rig_usb_driver $tablet || rig_fail "the host has no driver"

apt purge xl-ext libxl-ext0
left=$(our_files)
[ -z "$left" ] || rig_fail "purge leaves: $left"
! systemctl is-active libxl-ext-usb >/dev/null || rig_fail "it still runs"
"$rig_xl" list
step "purged, and nothing is left"
