# SPDX-License-Identifier: LGPL-2.1-only
#
# An HVM guest: controllers that its own device model emulates, through libxl,
# and what `auto` is for such a guest.

. ./usb.bash

plug disk disk
# Without udevd in dom0, a running QEMU does not learn of new devices.
plug spare disk
plug tablet tablet
plug super disk port=1
rig_guest_start $guest hvm || rig_fail "the guest does not start"
domid=$(rig_domid $guest)
backend=/libxl/$domid/device/vusb

# A guest that is not told of a new PCI device looks for it.
guest_rescans() { rig_guest_run $guest 'echo 1 >/sys/bus/pci/rescan'; }
guest_finds() { guest_sees "$1" || { guest_rescans && guest_sees "$1"; }; }
guest_lost() { ! guest_sees "$1"; }
number() { cat "/sys/bus/usb/devices/$1/$2"; }

# The distribution's list has the device on a port.
xl_shows() {
    says "$(printf 'Port %d: Bus %03x Device %03x' "$2" \
        "$(number "$1" busnum)" "$(number "$1" devnum)")" \
        "$rig_xl" usb-list $guest
}

# --- EHCI
check "an EHCI" says "USB controller 0 created (devicemodel)" \
    xl usb-hc-create $guest type=devicemodel version=2
guest_rescans
check "attach a disk" says "controller 0 port 1" \
    xl usb-attach $guest "$disk" controller=0 --wait 60
check "the guest sees it" rig_wait_for 10 guest_sees 46f4:0001
check "and can read it" \
    rig_wait_for 15 says "rig disk" rig_guest_run $guest head -c 8 /dev/sda
check "the host's driver let go" has_driver "$disk" usbfs
check "our list shows it" shows $guest "$disk" 46f4:0001 1
check "so does the distribution's" xl_shows "$disk" 1
check "a SuperSpeed disk does not fit" refuses "SuperSpeed" \
    xl usb-attach $guest "$super" controller=0
check "detach" xl usb-detach $guest "$disk"
check "the disk has its driver again" has_driver "$disk" usb-storage
check "the guest lost it" rig_wait_for 10 guest_lost 46f4:0001

# --- xHCI, beside it
check "an xHCI" says "USB controller 1 created (devicemodel)" \
    xl usb-hc-create $guest type=devicemodel version=3 ports=4
guest_rescans
check "attach a tablet" says "controller 1 port 2" \
    xl usb-attach $guest "$tablet" controller=1 port=2 --wait 60
check "the guest sees it" rig_wait_for 10 guest_sees 0627:0001
check "the distribution's list shows it" xl_shows "$tablet" 2
check "attach a SuperSpeed disk" says "controller 1 port 1" \
    xl usb-attach $guest "$super" --wait 60
check "the guest sees it" rig_wait_for 10 guest_sees 46f4:0001
check "the distribution's xl takes the tablet away" \
    "$rig_xl" usbdev-detach $guest 1 2
check "its driver comes back" rig_wait_for 5 has_driver "$tablet" usbhid

# --- pulled out
check "attach the disk" xl usb-attach $guest "$disk" controller=1 --wait 60
check "pull it out" unplug disk
check "it is listed as gone" says "not plugged in" xl usb-list $guest
check "its port is freed" xl usb-detach $guest "$disk"
check "the next one takes it" says "controller 1 port 2" \
    xl usb-attach $guest "$spare" controller=1 --wait 60

# --- what QEMU says reaches the user
for key in type=devicemodel usb-ver=3 num-ports=1 port/1=; do
    xenstore-write "$backend/7/${key%%=*}" "${key#*=}"
done
check "attach and detach, to forget who had the tablet" eval \
    'xl usb-attach $guest "$tablet" controller=1 --wait 60 &&
    xl usb-detach $guest "$tablet"'
check "a controller that QEMU does not have" \
    refuses "domain $domid's device model: Bus 'xenusb-7.0' not found" \
    xl usb-attach $guest "$tablet" controller=7
check "the tablet kept its driver" has_driver "$tablet" usbhid
xenstore-rm "$backend/7"

# --- away with both
check "hc-destroy detaches first" xl usb-hc-destroy $guest 1
check "the disk has its driver again" has_driver "$spare" usb-storage
check "the SuperSpeed one too" has_driver "$super" usb-storage
check "hc-destroy of the other" xl usb-hc-destroy $guest 0
check "no node is left" \
    eval '! xenstore-ls -f | grep -E "vusb|libxl-ext"'

# --- auto
# Xen 4.17's; 4.20's xl makes one that works.
[ "$RIG_SUITE" != bookworm ] ||
    check "the distribution's xl makes a controller that QEMU does not have" \
        eval '! "$rig_xl" usbdev-attach $guest \
            "hostbus=$(number "$tablet" busnum)" \
            "hostaddr=$(number "$tablet" devnum)" 2>/dev/null'
for devid in $(xenstore-list "$backend" 2>/dev/null); do
    xenstore-rm "$backend/$devid"
done
check "attach without any controller" xl usb-attach $guest "$tablet" --wait 60
xl usb-list $guest
check "it is an emulated one" \
    says '"type": "devicemodel"' xl usb-list --json $guest
check "the guest sees it" rig_wait_for 10 guest_finds 0627:0001
check "a SuperSpeed disk finds room there" \
    xl usb-attach $guest "$super" --wait 60
check "the guest sees it" rig_wait_for 10 guest_sees 46f4:0001
check "destroy the guest" rig_guest_stop $guest
check "the tablet has its driver again" \
    rig_wait_for 10 has_driver "$tablet" usbhid
check "reconcile forgets what was the guest's" eval \
    "xl usb-reconcile && ! xenstore-exists /libxl-ext"
