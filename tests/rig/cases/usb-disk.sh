# SPDX-License-Identifier: LGPL-2.1-only
#
# A disk that somebody has open exclusively is not given away: mounts and holders
# do not tell of it. The distribution's xl takes it.

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
check "then it can go" xl usb-attach $guest "$disk"
check "with its controller" xl usb-hc-destroy $guest 0
