# SPDX-License-Identifier: LGPL-2.1-only
#
# A disk that somebody has open exclusively, or that a guest has, is not given
# away: mounts and holders tell of neither. The distribution's xl takes it.

. ./usb.bash

plug disk disk
start_guest

refused() {
    local what=$1
    shift
    state >"$rig_tmp/before"
    check "$what" refuses "$@"
    unchanged || rig_fail "$what: something changed"
}

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
refused "a disk that is open exclusively" \
    "usb $disk: in use: $node is opened exclusively" \
    xl usb-attach $guest "$disk" --force
refused "and is not tried" "opened exclusively" \
    xl usb-attach $guest "$disk" --dry-run
kill $holder
wait $holder 2>/dev/null
# As xen-blkback's script writes it: this dom0's kernel comes without.
vbd=/local/domain/0/backend/vbd/$domid
xenstore-write "$vbd/51712/physical-device" "$(stat -c %t:%T "$node")"
refused "a disk of a guest" \
    "is a disk of a guest (${node##*/} on domain $domid)" \
    xl usb-attach $guest "$disk"
check "the list says so too" says "[is a disk of a guest" \
    xl usb-list-assignable-devices --all
xenstore-rm /local/domain/0/backend/vbd
check "then it can go" xl usb-attach $guest "$disk"
check "with its controller" xl usb-hc-destroy $guest 0
