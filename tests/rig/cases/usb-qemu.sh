# SPDX-License-Identifier: LGPL-2.1-only
#
# A guest that has a QEMU of its own, for its disks or as its whole machine. That
# would take a controller of type qusb, and from 10.0 on it ends of one. PVUSB has
# its place beside it, in libxl's layout of type pv, and the QEMU notices nothing.

. ./usb.bash

plug tablet tablet
for qemu in /usr/libexec/xen-qemu-system-i386 /usr/lib/xen/bin/qemu-system-i386
do
    [ ! -x $qemu ] || break
done
version=$($qemu --version | sed -n 's/.*version \([0-9.]*\).*/\1/p')
echo "QEMU $version"
printf 'rig disk' >"$rig_tmp/image"
truncate -s 1M "$rig_tmp/image"
qdisk="disk = [ 'format=raw, vdev=xvda, backendtype=qdisk, target=$rig_tmp/image' ]"

# The pid of the guest's own QEMU, which libxl started.
device_model() { processes "qemu.* -xen-domid $domid " | cut -d ' ' -f 1; }
guest_reads() {
    says "rig disk" rig_guest_run $guest "dd if=/dev/xvda bs=8 count=1 \
        iflag=direct 2>/dev/null || head -c 8 /dev/xvda"
}

# The guest and its device model, after whatever was tried.
check_alive() {
    check "its device model is there" [ "$(device_model)" = "$served_by" ]
    check "the guest answers" rig_guest_run $guest true
    [ "$1" != pvh ] || check "and reads its disk" rig_wait_for 10 guest_reads
}

for kind in pvh hvm; do
    rig_guest_start $guest $kind ${qdisk:+"$qdisk"} ||
        rig_fail "the guest does not start"
    domid=$(rig_domid $guest)
    served_by=$(device_model)
    [ -n "$served_by" ] || rig_fail "$kind: no device model"
    qdisk=
    state >"$rig_tmp/before"
    check "$kind: no controller that it would take" refuses "use type=pv" \
        xl usb-hc-create $guest type=qusb
    check "nothing was written" unchanged
    check "beside it" says "(pv)" xl usb-hc-create $guest type=pv
    check "takes a device" xl usb-attach $guest "$tablet" controller=0
    check "the guest sees it" rig_wait_for 10 guest_sees 0627:0001
    check "another controller" says "controller 1" \
        xl usb-hc-create $guest type=pv ports=2
    check_alive $kind
    check "the distribution's list shows it" says "pv" \
        "$rig_xl" usb-list $guest
    check "and its detach takes it" "$rig_xl" usbdev-detach $guest 0 1
    check "the host has it" rig_wait_for 10 has_driver "$tablet" usbhid
    check "all away" \
        eval "xl usb-hc-destroy $guest 1 && xl usb-hc-destroy $guest 0"
    check "nothing is left" unchanged
    [ $kind != pvh ] || check "what nobody chose a type for goes there too" \
        xl usb-attach $guest "$tablet"
    check_alive $kind
    check "destroy the guest" rig_guest_stop $guest
done
