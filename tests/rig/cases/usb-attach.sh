# SPDX-License-Identifier: LGPL-2.1-only
#
# A running PVH guest, created without any USB configuration and without a
# device model, gets devices and loses them again; by our commands and by the
# distribution's, in all combinations.

. ./usb.bash

plug tablet tablet
plug disk disk
start_guest
state >"$rig_tmp/before"

check "attach makes a controller" \
    says "controller 0 port 1" xl usb-attach $guest "$disk"
check "the guest sees the disk" rig_wait_for 5 guest_sees 46f4:0001
check "and can read it" \
    rig_wait_for 15 says "rig disk" rig_guest_run $guest head -c 8 /dev/sda
check "the host's driver let go" has_driver "$disk" usbfs
check "our list shows it" shows $guest "$disk" "46f4:0001 +QEMU"
check "the distribution's list shows it" \
    says "$(printf 'Port 1: Bus %03x Device %03x' \
        "$(cat "/sys/bus/usb/devices/$disk/busnum")" \
        "$(cat "/sys/bus/usb/devices/$disk/devnum")")" \
    "$rig_xl" usb-list $guest
check "JSON shows it" says "\"busid\": \"$disk\"" xl usb-list --json $guest

check "a second device goes to the port asked for" \
    says "controller 0 port 5" \
    xl usb-attach $guest "$tablet" controller=0 port=5
check "the guest sees both" rig_wait_for 5 guest_sees 0627:0001
check "one backend, of three processes, serves both" \
    [ "$(usb_processes | wc -l)" -eq 3 ]

check "detach by busid" xl usb-detach $guest "$disk"
check "the disk has its driver again" has_driver "$disk" usb-storage
check "the guest lost it" rig_wait_for 5 eval "! guest_sees 46f4:0001"
check "detach by place" xl usb-detach $guest controller=0 port=5
check "the tablet has its driver again" has_driver "$tablet" usbhid

check "attach again" xl usb-attach $guest "$disk"
check "the distribution's xl takes it away" \
    "$rig_xl" usbdev-detach $guest 0 1
check "its driver comes back" rig_wait_for 5 has_driver "$disk" usb-storage
check "our list shows the port empty" port_is 0 1 ""

check "the distribution's xl attaches to our controller" \
    "$rig_xl" usbdev-attach $guest \
    "hostbus=$(cat "/sys/bus/usb/devices/$tablet/busnum")" \
    "hostaddr=$(cat "/sys/bus/usb/devices/$tablet/devnum")"
check "the guest sees it" rig_wait_for 10 guest_sees 0627:0001
check "our list shows it" shows $guest "$tablet" "" 1
check "we take it away" xl usb-detach $guest "$tablet"
check "it has its driver again" has_driver "$tablet" usbhid

check "a second controller, of USB 1.1" \
    says "USB controller 1 created" xl usb-hc-create $guest version=1 ports=2
check "a high-speed disk does not fit it" \
    refuses "high speed" xl usb-attach $guest "$disk" controller=1
check "a full one, for hc-destroy" \
    xl usb-attach $guest "$disk" controller=0 port=8
check "hc-destroy detaches first" xl usb-hc-destroy $guest 0
check "the disk has its driver again" has_driver "$disk" usb-storage
check "hc-destroy of the last one" xl usb-hc-destroy $guest 1
check "nothing is left: nodes, processes, drivers" unchanged

# --- commands at once

check "make a controller" xl usb-hc-create $guest
xl usb-attach $guest "$disk" >"$rig_tmp/1" 2>&1 &
xl usb-attach $guest "$tablet" >"$rig_tmp/2" 2>&1 &
xl usb-attach $guest "$disk" >"$rig_tmp/3" 2>&1 &
wait
cat "$rig_tmp"/[123]
check "three attaches, two devices: two got in" \
    [ "$(cat "$rig_tmp"/[123] | grep -c attached\ to\ domain)" -eq 2 ]
check "one was told why not" \
    [ "$(cat "$rig_tmp"/[123] | grep -c "usb $disk: attached already")" -eq 1 ]
check "on two ports" [ "$(shows $guest "1-[^ ]*" "" "[12]" | wc -l)" -eq 2 ]
check "and all away again" xl usb-hc-destroy $guest 0
check "nothing is left" unchanged
