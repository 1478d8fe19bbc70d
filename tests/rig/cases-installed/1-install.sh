# SPDX-License-Identifier: LGPL-2.1-only
#
# An ordinary Debian: the packages are installed, a former version first, and
# the main commands work; a device is assigned, a guest has a vector policy, and
# the service is on. Where there is a package of the patched hypervisor, the next
# boot has that.

set -eu
. ./installed.bash

[ -z "$(our_files)" ] || rig_fail "this dom0 is not new: $(our_files)"
install_from /rig/given/former
former=$(dpkg-query -W -f '${Version}' xl-ext)
install_from /rig/given
[ "$(dpkg-query -W -f '${Version}' xl-ext)" != "$former" ] ||
    rig_fail "not upgraded from $former"
xl-ext version
step "installed, upgraded from $former"
[ "$(systemctl is-enabled libxl-ext-usb)" = disabled ] ||
    rig_fail "the service is not off"

start_guest
xl-ext usb-list-assignable-devices
xl-ext usb-attach g $tablet
rig_wait_for 30 guest_has_tablet || rig_fail "attach: the guest sees nothing"
xl-ext usb-detach g $tablet
rig_wait_for 10 rig_usb_driver $tablet || rig_fail "detach: no driver"
xl-ext evtchn-list g >/dev/null
"$rig_xl" save g /root/g.save
xl-ext image-info /root/g.save
xl-ext restore --lazy /root/g.save
rig_guest_run g true || rig_fail "not restored"
rm /root/g.save
step "attach, detach, evtchn-list, image-info, restore"

xl-ext install-front
PATH=/usr/local/sbin:$PATH
xl evtchn-policy g --vectors=vif,blk
is_told_vectors || rig_fail "evtchn-policy: not told: $(vectors_told)"
systemctl enable --now libxl-ext-usb
"$rig_xl" save g /root/g.save
"$rig_xl" restore /root/g.save
rm /root/g.save
rig_wait_for 60 is_told_vectors ||
    rig_fail "restored: the service does not tell: $(vectors_told)"
step "the service tells a restored guest its vectors"
xl usb-assign g $tablet
rig_wait_for 60 guest_has_tablet || rig_fail "the service does not attach"
service=/proc/$(systemctl show -p MainPID --value libxl-ext-usb)/status
for line in "CapEff 00000000002c11e6" "NoNewPrivs 1" "Seccomp 2"; do
    grep -q "^${line% *}:[[:space:]]*${line#* }\$" "$service" ||
        rig_fail "the service: not $line: $(cat "$service")"
done
systemctl restart libxl-ext-usb
sleep 2
guest_has_tablet || rig_fail "the device went with the service's restart"
step "assigned, and the service gives it to the guest"

hypervisor=$(echo /rig/given/xen-hypervisor-*.deb)
if [ -e "$hypervisor" ]; then
    apt install "$hypervisor"
    cp /boot/xen-*-amd64.gz "$RIG_OUT/xen.gz"
    step "$(basename "$hypervisor") is installed"
fi
# As the machine is cut off: what was told must be on the disk.
sync
rig_guest_stop g
