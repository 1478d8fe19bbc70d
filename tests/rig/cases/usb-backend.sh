# SPDX-License-Identifier: LGPL-2.1-only
#
# The backend process: it ends with its domain, comes back when it is killed,
# and its devices are never left without their driver.

. ./usb.bash

plug disk disk
plug keyboard keyboard

supervisor() { cat "/run/libxl-ext/usb/$domid.pid"; }
qemu() { tr -d ' ' <"/proc/$(supervisor)/task/$(supervisor)/children"; }
guest_reads() {
    rig_guest_run $guest 'dd if=/dev/sda of=/dev/null bs=64k count=1 &&
        { while dd if=/dev/sda of=/dev/null bs=1M iflag=direct; do :; done &
        } >/dev/null 2>&1' >/dev/null 2>&1
}
disk_resets() { dmesg | grep -c "usb $disk: reset"; }
announced() {
    xenstore-exists "/local/domain/0/device-model/$domid/backends/qusb"
}
is_back() { port_is 0 "$2" "$1" && has_driver "$1" usbfs; }

start_guest
check "attach a disk" xl usb-attach $guest "$disk"
check "attach a keyboard, which always has a request in flight" \
    xl usb-attach $guest "$keyboard"

# The guest is just reading: it has to wait for its own timeout, and the disk has
# a command that nobody ends.
check "the guest reads the disk" rig_wait_for 30 guest_reads
sleep 0.5
old=$(qemu)
resets=$(disk_resets)
check "kill -9 of QEMU meanwhile" kill -9 "$old"
check "the disk comes back to its port" rig_wait_for 180 is_back "$disk" 1
check "and was reset" [ "$(disk_resets)" -gt "$resets" ]
check "so does the keyboard" rig_wait_for 30 is_back "$keyboard" 2
check "by another process" [ "$(qemu)" != "$old" ]
check "the guest sees the disk" rig_wait_for 10 guest_sees 46f4:0001
check "and can read it" \
    rig_wait_for 60 says "rig disk" rig_guest_run $guest "head -c 8 /dev/sd?"
check "detach" xl usb-detach $guest "$disk"
check "the driver of before the kill is back" has_driver "$disk" usb-storage
check "attach again" xl usb-attach $guest "$disk"

check "kill -9 of the process that watches QEMU" kill -9 "$(supervisor)"
check "QEMU goes with it" rig_wait_for 10 no_usb_process
check "a detach needs neither" xl usb-detach $guest "$disk"
check "the driver is back" has_driver "$disk" usb-storage
check "an attach brings both back" xl usb-attach $guest "$disk" --wait 200
check "with the keyboard where it was" is_back "$keyboard" 2
check "the guest sees the disk" rig_wait_for 10 guest_sees 46f4:0001

# QEMU ends while a command is at work, before another can be started.
check "the guest reads the disk" rig_wait_for 30 guest_reads
sleep 0.5
exec 7>>"/run/libxl-ext/usb/lock/domain-$domid"
check "a command is at work" flock 7
old=$(supervisor)
check "kill -9 of QEMU" kill -9 "$(qemu)"
check "is noticed" rig_wait_for 10 eval "! announced"
kill -STOP "$old"
exec 7>&-
(sleep 5; kill -CONT "$old") &
xl usb-hc-destroy $guest 0 --wait 200 >"$rig_tmp/said" 2>&1 ||
    rig_fail "hc-destroy: $(<"$rig_tmp/said")"
check "the guest closes the controller" eval \
    '! grep -E "removed all the same|stays" "$rig_tmp/said"'
wait
check "no process is left" rig_wait_for 10 no_usb_process
check "the disk has its driver again" has_driver "$disk" usb-storage
check "attach again" xl usb-attach $guest "$disk"
check "and the keyboard" xl usb-attach $guest "$keyboard"

check "destroy the guest" rig_guest_stop $guest
check "no process is left" rig_wait_for 10 no_usb_process
check "the disk has its driver again" has_driver "$disk" usb-storage
check "so has the keyboard" has_driver "$keyboard" usbhid
check "no node is left" eval '! xenstore-ls -f | grep -E "qusb|vusb|libxl-ext"'
check "no file is left" \
    eval '! find /run/libxl-ext/usb -type f -not -path "*/lock/*" | grep .'

start_guest
check "attach" xl usb-attach $guest "$disk"
check "pull the device out" unplug disk
check "it is in nobody's way" xl usb-attach $guest "$keyboard" --wait 200
check "kill QEMU with the guest's death near" kill -9 "$(qemu)"
check "destroy the guest at once" rig_guest_stop $guest
check "no process is left" rig_wait_for 30 no_usb_process
check "the keyboard has its driver again" \
    rig_wait_for 10 has_driver "$keyboard" usbhid
check "no node is left" eval '! xenstore-ls -f | grep -E "qusb|vusb|libxl-ext"'
