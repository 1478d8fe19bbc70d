# SPDX-License-Identifier: LGPL-2.1-only
#
# What this host needs itself is not given away: a stick it has mounted or swaps
# on, its only keyboard, what the policy forbids. The distribution's xl takes
# all of them.

. ./usb.bash

policy=/etc/xen/usb-policy.conf
plug stick disk
start_guest

block() {
    local d
    for d in /sys/class/block/*; do
        [[ $(readlink -f "$d") != */"$stick":* ]] || basename "$d"
    done | head -n 1
}

refused() {
    local what=$1
    shift
    state >"$rig_tmp/before"
    check "$what" refuses "$@"
    unchanged || rig_fail "$what: something changed"
}

check "the stick is a disk" rig_wait_for 10 eval '[ -n "$(block)" ]'
disk=/dev/$(block)
dd if="$disk" of="$rig_tmp/label" bs=4096 count=1 status=none
leave() {
    local status=$?
    { swapoff "$disk"; umount /mnt; rm -f "$policy"; ps2 bind; } 2>/dev/null
    (exit $status)
    tidy
}
trap leave EXIT
mkswap "$disk" >/dev/null && swapon "$disk" || rig_fail "no swap on $disk"
refused "swap" "usb $stick: this host swaps on it (swap on ${disk##*/})" \
    xl usb-attach $guest "$stick"
refused "nor with --force" "swaps on it" xl usb-attach $guest "$stick" --force
check "the list says so" says "[this host swaps on it" \
    xl usb-list-assignable-devices --all
swapoff "$disk"

if mkfs.ext4 -q "$disk" && mount "$disk" /mnt; then
    refused "a mounted stick" \
        "is mounted: umount it first (${disk##*/} on /mnt)" \
        xl usb-attach $guest "$stick"
    umount /mnt
else
    rig_fail "cannot make and mount a file system"
fi
# The next case knows the disk by what it begins with.
dd if="$rig_tmp/label" of="$disk" conv=notrunc,fsync status=none
check "afterwards it can go" xl usb-attach $guest "$stick"
check "and come back" xl usb-detach $guest "$stick"

# --- keyboards

# Without the one that every PC seems to have, as in most servers.
ps2() {
    local keyboard
    for keyboard in $ps2_keyboards; do
        echo -n "$keyboard" >"/sys/bus/serio/drivers/atkbd/$1"
    done
}
ps2_keyboards=$(cd /sys/bus/serio/drivers/atkbd && ls -d serio* 2>/dev/null)
ps2 unbind

plug keyboard keyboard
rig_wait_for 10 grep -ql fffffffffffffffe \
    /sys/class/input/input*/capabilities/key || rig_fail "no keyboard"
refused "the last keyboard" "is the last keyboard of this host" \
    xl usb-attach $guest "$keyboard"
check "--force" xl usb-attach $guest "$keyboard" --force
check "and back" xl usb-detach $guest "$keyboard"
plug other keyboard
check "one of two keyboards" rig_wait_for 10 \
    xl usb-attach $guest "$keyboard"
refused "the other is the last now" "is the last keyboard" \
    xl usb-attach $guest "$other"
check "back" xl usb-detach $guest "$keyboard"
ps2 bind
ps2_keyboards=

# --- policy

printf 'DENY: class=08 # no storage\nALLOW:\n' >"$policy"
refused "the policy" "forbidden by policy: $policy:1: DENY: class=08" \
    xl usb-attach $guest "$stick" --force
check "usb-policy explains it" eval \
    "! xl usb-policy check $stick >$rig_tmp/said && grep -q ':1' $rig_tmp/said"
configure() { echo "$1" >"/sys/bus/usb/devices/$keyboard/bConfigurationValue"; }
configure 0 || rig_fail "cannot take the keyboard's configuration away"
refused "nor what is not configured" \
    "forbidden by policy: not configured, it may be anything: $policy:1" \
    xl usb-attach $guest "$keyboard" --force
check "which usb-policy explains too" eval "! xl usb-policy check $keyboard \
    >$rig_tmp/said && grep -q 'not configured.*denied' $rig_tmp/said"
configure 1
check "a keyboard is allowed" xl usb-attach $guest "$keyboard"
check "back again" xl usb-detach $guest "$keyboard"
echo 'DENI: class=08' >"$policy"
refused "a broken policy denies everything" "$policy:1: " \
    xl usb-attach $guest "$keyboard"
rm "$policy"
check "no policy allows" xl usb-attach $guest "$stick"
check "the controller goes" xl usb-hc-destroy $guest 0

# --- save: a device cannot come along

check "a device" xl usb-attach $guest "$stick"
state >"$rig_tmp/before"
check "save refuses" \
    refuses "domain $domid: has USB devices: $stick: a save or a migration loses them" \
    xl save $guest "$rig_tmp/save"
check "and has changed nothing" unchanged
check "a save that fails" eval \
    "! xl save --usb=detach $guest /nowhere/save >/dev/null 2>&1"
check "leaves the device attached" has_driver "$stick" usbfs
check "which the guest sees" rig_wait_for 10 guest_sees 46f4:0001
check "save with --usb=detach" \
    xl save --usb=detach $guest "$rig_tmp/save" >/dev/null
check "the host has it" has_driver "$stick" usb-storage
check "restore" xl restore "$rig_tmp/save" >/dev/null
check "it answers" rig_guest_run $guest true
domid=$(rig_domid $guest)
check "it is to have the device once" says "once" xl usb-assign --list $guest
check "and has it again" says "usb $stick: attached" xl usb-reconcile --wait 60
check "which was once" eval "! xl usb-assign --list | grep ."
check "and see it" rig_wait_for 10 guest_sees 46f4:0001
check "the controller goes" xl usb-hc-destroy $guest 0
