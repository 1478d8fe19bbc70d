# SPDX-License-Identifier: LGPL-2.1-only
#
# dom0 has booted anew: the service gives the guest its device again, and tells
# it its vectors. The installed hypervisor, if it was, runs and restores lazily. The
# packages are purged: nothing of them is left, and the host has its device.

set -eu
. ./installed.bash

systemctl is-active libxl-ext-usb || {
    systemctl status --no-pager libxl-ext-usb
    rig_fail "the service does not run"
}
start_guest
rig_wait_for 60 guest_has_tablet || rig_fail "the device does not come back"
rig_wait_for 30 is_told_vectors || rig_fail "vectors: $(vectors_told)"
step "the device and the vectors are back after a reboot of dom0"
rig_guest_stop g
rig_wait_for 20 rig_usb_driver $tablet || rig_fail "the host has no driver"

# The rig gives a hypervisor from a file when the first case installed one.
if [ "$RIG_XEN" = own ]; then
    "$rig_xl" info | grep -E '^xen_extra +: .*\+libxl-ext$' ||
        rig_fail "not the patched hypervisor: $("$rig_xl" info)"
    said=$(xl-ext doctor) || rig_fail "doctor: $said"
    for check in lazy-paging evtchn-vectors; do
        grep -E "^$check +- +ok" <<<"$said" || rig_fail "doctor: $said"
    done
    rig_guest_start h pvh
    "$rig_xl" save h /root/h.save
    xl-ext restore --lazy=require /root/h.save
    rig_guest_run h true || rig_fail "lazily: the guest does not answer"
    timeout 120 xl-ext lazy-wait -q h || rig_fail "$(xl-ext lazy-list)"
    rig_guest_stop h
    rm /root/h.save
    apt purge "$(dpkg-query -W -f '${Package}' 'xen-hypervisor-*-amd64')"
    step "the patched hypervisor's package runs, restores lazily, and goes"
fi

apt purge xl-ext libxl-ext0
left=$(our_files)
[ -z "$left" ] || rig_fail "purge leaves: $left"
! systemctl is-active libxl-ext-usb >/dev/null || rig_fail "it still runs"
"$rig_xl" list
step "purged, and nothing is left"
