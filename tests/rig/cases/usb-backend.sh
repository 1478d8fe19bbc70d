# SPDX-License-Identifier: LGPL-2.1-only
#
# The backend process: it ends with its domain, each part of it comes back when it
# is killed, without the guest losing a device, and no device is ever left without
# its driver.

. ./usb.bash

plug disk disk
plug keyboard keyboard

main_pid() { cat "/run/libxl-ext/usb/$domid.pid"; }
# The worker is the one that is not root.
children() { cat "/proc/$(main_pid)/task/$(main_pid)/children"; }
uid_of() { sed -n 's/^Uid:\t\([0-9]*\).*/\1/p' "/proc/$1/status"; }
worker() {
    local p
    for p in $(children); do
        [ "$(uid_of "$p")" -eq 0 ] || echo "$p"
    done
}
broker() {
    local p
    for p in $(children); do
        [ "$(uid_of "$p")" -ne 0 ] || echo "$p"
    done
}
guest_reads() {
    rig_guest_run $guest 'dd if=/dev/sda of=/dev/null bs=64k count=1 &&
        { while dd if=/dev/sda of=/dev/null bs=1M iflag=direct; do :; done &
        } >/dev/null 2>&1' >/dev/null 2>&1
}
guest_unplugs() { rig_guest_run $guest 'dmesg | grep -c "USB disconnect"'; }
disk_resets() { dmesg | grep -c "usb $disk: reset"; }
is_back() { port_is 0 "$2" "$1" && has_driver "$1" usbfs; }
status_of() { sed -n "s/^$2:\t//p" "/proc/$1/status"; }
another_worker() {
    local now
    now=$(worker)
    [ -n "$now" ] && [ "$now" != "$1" ]
}

start_guest
check "attach a disk" xl usb-attach $guest "$disk"
check "attach a keyboard, which always has a request in flight" \
    xl usb-attach $guest "$keyboard"

# What a guest may take over: it has nothing but what it was given.
w=$(worker)
check "the worker is not root" [ "$(uid_of "$w")" -eq $((1879048192 + domid)) ]
check "it has no capabilities" \
    [ "$(status_of "$w" CapEff)$(status_of "$w" CapBnd)" = \
        00000000000000000000000000000000 ]
check "its system calls are filtered" [ "$(status_of "$w" Seccomp)" = 2 ]
check "it sees no file" [ -z "$(ls -A "/proc/$w/root/")" ]

# The guest is just reading. It sees an error, and its driver tries again.
for part in worker broker; do
    check "the guest reads the disk" rig_wait_for 30 guest_reads
    sleep 0.5
    old=$(worker)
    resets=$(disk_resets)
    check "kill -9 of the $part meanwhile" kill -9 "$($part)"
    check "another worker takes its place" rig_wait_for 10 another_worker "$old"
    check "the disk is on its port" rig_wait_for 10 is_back "$disk" 1
    check "and was reset" \
        rig_wait_for 10 eval '[ "$(disk_resets)" -gt "$resets" ]'
    check "so is the keyboard" rig_wait_for 10 is_back "$keyboard" 2
    check "the guest has not seen the disk go" \
        eval '! rig_guest_run $guest dmesg | grep "USB disconnect"'
    check "and can read it" \
        rig_wait_for 60 says "rig disk" rig_guest_run $guest "head -c 8 /dev/sda"
done
check "detach" xl usb-detach $guest "$disk"
check "the driver of before the kill is back" has_driver "$disk" usb-storage
check "attach again" xl usb-attach $guest "$disk"

check "the guest sees the disk" rig_wait_for 10 guest_sees 46f4:0001
unplugs=$(guest_unplugs)
check "kill -9 of the process that keeps them alive" kill -9 "$(main_pid)"
check "all go with it" rig_wait_for 10 no_usb_process
check "reconcile starts another one" \
    says "domain $domid: its USB backend was killed" xl usb-reconcile
check "the disk is on its port" rig_wait_for 10 is_back "$disk" 1
check "so is the keyboard" rig_wait_for 10 is_back "$keyboard" 2
check "the guest has not seen the disk go" [ "$(guest_unplugs)" -eq "$unplugs" ]

check "kill -9 of that process again" kill -9 "$(main_pid)"
check "all go with it" rig_wait_for 10 no_usb_process
check "a detach needs none" xl usb-detach $guest "$disk"
check "the driver is back" has_driver "$disk" usb-storage
check "an attach brings them back" xl usb-attach $guest "$disk"
check "with the keyboard where it was" rig_wait_for 10 is_back "$keyboard" 2
check "the guest sees the disk" rig_wait_for 10 guest_sees 46f4:0001

check "kill -9 of that process once more" kill -9 "$(main_pid)"
check "and the controller can go" xl usb-hc-destroy $guest 0
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
check "it is in nobody's way" xl usb-attach $guest "$keyboard"
check "kill the worker with the guest's death near" kill -9 "$(worker)"
check "destroy the guest at once" rig_guest_stop $guest
check "no process is left" rig_wait_for 30 no_usb_process
check "the keyboard has its driver again" \
    rig_wait_for 10 has_driver "$keyboard" usbhid
check "no node is left" eval '! xenstore-ls -f | grep -E "qusb|vusb|libxl-ext"'
