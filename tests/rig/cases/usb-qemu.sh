# SPDX-License-Identifier: LGPL-2.1-only
#
# QEMU from 10.0 on ends of a controller that appears while it runs. One that
# serves a guest's disks, or is an HVM guest's device model, is asked first:
# older ones get the controller, later ones are left alone, as are those that do
# not answer. Then a QEMU of ours that does not start: its words reach the user,
# and the guest, which knows of the controller, survives its removal.

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
device_model() {
    local p
    for p in /proc/[0-9]*; do
        tr '\0' ' ' <"$p/cmdline" | grep -q "qemu.* -xen-domid $domid " &&
            echo "${p##*/}"
    done 2>/dev/null
}
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

# check_served KIND : by an older QEMU.
check_served() {
    check "$1: a controller" says "(qusb)" xl usb-hc-create $guest type=qusb
    check "takes a device" xl usb-attach $guest "$tablet" controller=0 --wait 60
    check "the guest sees it" rig_wait_for 10 guest_sees 0627:0001
    check "and all away again" xl usb-hc-destroy $guest 0
}

# check_spared KIND : a later one.
check_spared() {
    check "$1: no controller" refuses "is QEMU $version, which ends" \
        xl usb-hc-create $guest type=qusb
    check "nothing was written" unchanged
    [ "$1" != pvh ] || check "nor for a device" \
        refuses "is QEMU $version, which ends" xl usb-attach $guest "$tablet"
    check "nothing was touched" unchanged
}

# It answers nobody for as long as it is stopped.
check_silent() {
    kill -STOP "$served_by"
    check "$1: one that does not answer is left alone" \
        refuses "does not say whether it is older than QEMU 10.0" \
        xl usb-hc-create $guest type=qusb
    kill -CONT "$served_by"
    check "nothing was written" unchanged
}

for kind in pvh hvm; do
    rig_guest_start $guest $kind ${qdisk:+"$qdisk"} ||
        rig_fail "the guest does not start"
    domid=$(rig_domid $guest)
    served_by=$(device_model)
    [ -n "$served_by" ] || rig_fail "$kind: no device model"
    qdisk=
    state >"$rig_tmp/before"
    if [ "${version%%.*}" -ge 10 ]; then
        check_spared $kind
    else
        check_served $kind
    fi
    check_alive $kind
    state >"$rig_tmp/before"
    check_silent $kind
    check_alive $kind
    check "destroy the guest" rig_guest_stop $guest
done

# --- ours

start_guest
state >"$rig_tmp/before"
cat >"$rig_tmp/broken" <<'EOT'
#!/bin/sh
sleep 5
echo "machine 'xenpv' is not usb here" >&2
exit 3
EOT
chmod +x "$rig_tmp/broken"
mount --bind "$rig_tmp/broken" $qemu
check "a QEMU that does not start is quoted" refuses \
    "QEMU does not start (exit status 3): machine 'xenpv' is not usb here" \
    xl usb-hc-create $guest
umount $qemu
check "nothing is left" unchanged
rig_guest_log $guest | grep -E "Oops|BUG|RIP:" &&
    rig_fail "the guest did not survive it"
check "the guest takes another controller" xl usb-attach $guest "$tablet"
check "and sees the device" rig_wait_for 10 guest_sees 0627:0001
check "no second one while it has it, or one that is none's harm" eval \
    'if [ "${version%%.*}" -ge 10 ]; then
        refuses "detach them first" xl usb-hc-create $guest
    else
        xl usb-hc-create $guest && xl usb-hc-destroy $guest 1
    fi'
check "detach" xl usb-detach $guest "$tablet"
check "another controller" says "controller 1" xl usb-hc-create $guest ports=2
check "a device on it" xl usb-attach $guest "$tablet" controller=1
check "the guest sees it" rig_wait_for 10 guest_sees 0627:0001
check "all away" eval "xl usb-hc-destroy $guest 1 && xl usb-hc-destroy $guest 0"
check "nothing is left" unchanged
