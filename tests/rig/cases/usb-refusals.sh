# SPDX-License-Identifier: LGPL-2.1-only
#
# What is refused: one line with object and cause, a non-zero exit, and nothing
# changed.

. ./usb.bash

plug disk disk
plug tablet tablet
plug super disk port=1
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
refused "SuperSpeed" "usb $super: runs at SuperSpeed" \
    xl usb-attach $guest "$super"
refused "no such controller" "no USB controller 3" \
    xl usb-attach $guest "$disk" controller=3
refused "a port of no controller" "of which controller" \
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
check "the controller goes" xl usb-hc-destroy $guest 0

# --- a disk that somebody else has

block() {
    local d
    for d in /sys/class/block/*; do
        [[ $(readlink -f "$d") != */"$disk":* ]] || basename "$d"
    done | head -n 1
}
check "the stick is a disk" rig_wait_for 10 eval '[ -n "$(block)" ]'
node=/dev/$(block)
"$rig_tools/hold-disk" "$node" >"$rig_tmp/held" &
holder=$!
check "somebody opens it exclusively" rig_wait_for 5 grep -q held "$rig_tmp/held"
state >"$rig_tmp/before"
refused "a disk that is open exclusively" \
    "usb $disk: in use: $node is opened exclusively" \
    xl usb-attach $guest "$disk" --force
refused "and is not tried" "opened exclusively" \
    xl usb-attach $guest "$disk" --dry-run
kill $holder
wait $holder 2>/dev/null
check "as a guest's disk" "$rig_xl" block-attach $guest \
    "format=raw,vdev=xvda,access=r,backendtype=qdisk,target=$node"
state >"$rig_tmp/before"
refused "a disk of a guest" \
    "is a disk of a guest (${node##*/} on domain $domid)" \
    xl usb-attach $guest "$disk"
check "the list says so too" says "[is a disk of a guest" \
    xl usb-list-assignable-devices --all
check "away with it" "$rig_xl" block-detach $guest xvda --force
check "then it can go" xl usb-attach $guest "$disk"
check "with its controller" xl usb-hc-destroy $guest 0
