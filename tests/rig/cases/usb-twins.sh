# SPDX-License-Identifier: LGPL-2.1-only
#
# Two disks with one serial number, each assigned to a guest of its own: whatever
# is pulled out, and in whichever order it comes back, each guest has its own.

. ./usb.bash

other=usb-other
watcher=
log=$rig_tmp/watch

finish() {
    local status=$?
    [ -z "$watcher" ] || kill "$watcher"
    [ $status -eq 0 ] || { cat "$log"; xl usb-assign --list; } 2>/dev/null
    xl usb-unassign $guest --all >/dev/null 2>&1
    xl usb-unassign $other --all >/dev/null 2>&1
    ! rig_domid $other >/dev/null 2>&1 || rig_guest_stop $other
    (exit $status)
    tidy
}
trap finish EXIT

# has GUEST NAME : it has that disk and no other one, and reads from it what only
# that one has.
has() {
    local disk label
    disk=$(cut -d ' ' -f 5 "$rig_usb_records/my-$2")
    [ "$(shows "$1" "[^ ]+" | wc -l)" -eq 1 ] &&
        shows "$1" "${!2}" || return
    label=$(rig_guest_run "$1" 'head -c 10 /dev/sd?')
    [ "$label" = "rig disk ${disk#disk}" ]
}
has_none() { ! shows "$1" "[^ ]+"; }
each_has_its_own() { has $guest one && has $other two; }
reported() { grep -q "$1" "$log"; }

plug one disk port=5 serial=0001
plug two disk port=6 serial=0001
start_guest
rig_guest_start $other pvh || rig_fail "the other guest does not start"
check "assign one" xl usb-assign $guest "$one"
check "assign its twin" xl usb-assign $other "$two"

xl usb-reconcile --watch >>"$log" 2>&1 &
watcher=$!
check "each guest has its own" rig_wait_for 60 each_has_its_own

unplug one
check "one is pulled out: its guest has none" rig_wait_for 60 has_none $guest
check "and is not given the other one's" has $other two
plug one disk port=5 serial=0001
check "it comes back" rig_wait_for 60 each_has_its_own

unplug one
unplug two
check "both are pulled out" \
    rig_wait_for 60 eval 'has_none $guest && has_none $other'
plug two disk port=6 serial=0001
check "the second one comes first" rig_wait_for 60 has $other two
check "and is nobody else's" has_none $guest
plug one disk port=5 serial=0001
check "then the first" rig_wait_for 60 each_has_its_own

# While its twin is in place, one in another port can only be the missing one.
unplug one
check "one is pulled out again" rig_wait_for 60 has_none $guest
plug one disk port=7 serial=0001
check "and plugged in elsewhere" rig_wait_for 60 each_has_its_own

unplug one
unplug two
check "both are pulled out" \
    rig_wait_for 60 eval 'has_none $guest && has_none $other'
: >"$log"
plug one disk port=8 serial=0001
check "one that could be either is told of" \
    rig_wait_for 60 reported "could be this one or that of guest"
check "and this host keeps it" eval \
    'has_none $guest && has_none $other && has_driver "$one" usb-storage'
