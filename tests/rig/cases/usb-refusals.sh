# SPDX-License-Identifier: LGPL-2.1-only
#
# What is refused: one line with object and cause, a non-zero exit, and nothing
# changed.

. ./usb.bash

plug disk disk
plug tablet tablet
plug hub hub
start_guest

# refused WHAT TEXT COMMAND...
refused() {
    local what=$1
    shift
    check "$what" refuses "$@"
    unchanged || rig_fail "$what: something changed"
}

# --- before there is any controller
state >"$rig_tmp/before"
refused "no such domain" "domain nobody: no such domain" \
    xl usb-attach nobody "$disk"
refused "no such domid" "domain 4242: no such domain" xl usb-list 4242
refused "this host itself" "is this host" xl usb-attach 0 "$disk"
refused "no such device" "usb 1-99: no such device" xl usb-attach $guest 1-99
refused "no such address" "usb 1.999: no such device" \
    xl usb-attach $guest 1.999
refused "octal or decimal?" "usb 01-2: names no device" xl usb-attach $guest 01-2
refused "a root hub" "is a root hub" xl usb-attach $guest usb1
refused "a hub" "usb $hub: is a hub" xl usb-attach $guest "$hub"
refused "no such controller" "no USB controller 3" \
    xl usb-attach $guest "$disk" controller=3
refused "a port of no controller" "name its controller too" \
    xl usb-attach $guest "$disk" port=1
refused "not attached" "usb $disk: not attached" xl usb-detach $guest "$disk"
refused "nothing to detach from" "no USB controller 0" \
    xl usb-detach $guest controller=0 port=1
refused "nothing to destroy" "no USB controller 0" xl usb-hc-destroy $guest 0
refused "not root" "run this as root" \
    setpriv --reuid 65534 --clear-groups xl-ext usb-list $guest

# --- with a device attached
check "attach" xl usb-attach $guest "$tablet"
state >"$rig_tmp/before"
refused "attached already" "attached already to domain $domid, controller 0" \
    xl usb-attach $guest "$tablet"
refused "the port is taken" "port 1 is taken" \
    xl usb-attach $guest "$disk" controller=0 port=1
refused "no such port" "no port 9" \
    xl usb-attach $guest "$disk" controller=0 port=9
refused "an empty port" "port 2 has no device" \
    xl usb-detach $guest controller=0 port=2
check "detach, to have all ports empty" xl usb-hc-destroy $guest 0

# --- a guest that does not answer
rig_guest_run $guest rmmod xen-hcd || rig_fail "cannot unload xen-hcd"
state >"$rig_tmp/before"
refused "no frontend driver" "xen-hcd" xl usb-attach $guest "$disk" --wait 3
refused "nor for a controller" "xen-hcd" xl usb-hc-create $guest --wait 3
rig_guest_run $guest modprobe xen-hcd
check "with the driver it works" xl usb-attach $guest "$disk"
