# SPDX-License-Identifier: LGPL-2.1-only
#
# What is assigned to a guest comes back: after a replug into the same or
# another port, a reboot, and with a watcher by itself, which else sleeps.

. ./usb.bash

uuid=3b5f0b4e-6d53-4c0e-9d4e-1f2a3b4c5d6e
watcher=
log=$rig_tmp/watch

end_watcher() {
    [ -z "$watcher" ] || { kill "$watcher"; wait "$watcher"; }
    watcher=
}

finish() {
    local status=$?
    [ -z "$watcher" ] || kill "$watcher"
    [ $status -eq 0 ] || { cat "$log"; xl usb-assign --list; } 2>/dev/null
    xl usb-unassign $guest --all >/dev/null 2>&1
    (exit $status)
    tidy
}
trap finish EXIT

# attached BUSID : a port of the guest has it, and the backend.
attached() {
    domid=$(rig_domid $guest) && shows $guest "$1" &&
        has_driver "$1" usbfs
}

not_listed() { ! xl usb-list $guest | grep -q "$1"; }

# User and system time of the watcher, in ticks.
ticks() { awk '{ print $14 + $15 }' "/proc/$watcher/stat"; }

rss_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$watcher/status"; }

idle() {
    local before
    before=$(ticks)
    sleep 10
    [ "$(ticks)" -eq "$before" ]
}

plug stick disk port=8 serial=STICK
plug twin keyboard port=9 serial=
start_guest "uuid = '$uuid'"

check "assign" xl usb-assign $guest "$stick" --required
check "assign a second one" xl usb-assign $guest "$twin"
check "it is listed" says "$uuid" xl usb-assign --list $guest
check "nothing is attached yet" says "" xl usb-list $guest
check "reconcile attaches both" says "attached" xl usb-reconcile
check "the first" attached "$stick"
check "the second" attached "$twin"
check "the guest sees them" rig_wait_for 10 guest_sees 46f4:0001
check "again: nothing to do" \
    eval '[ "$(xl usb-reconcile | grep -c in-place)" -eq 2 ]'

# --- once

unplug stick
check "required and missing fails" eval '! xl usb-reconcile'
check "its port is free" not_listed "$stick"
check "the other one stays" attached "$twin"
plug stick disk port=10 serial=STICK
check "into another port" says "usb $stick: attached" xl usb-reconcile
check "it is there" attached "$stick"
check "and works" rig_wait_for 20 says "rig disk" \
    rig_guest_run $guest "head -c 8 /dev/sd?"

old=$stick
unplug stick
plug stick disk port=10 serial=STICK
check "into the same port, unseen" [ "$stick" = "$old" ]
check "is noticed" says "usb $stick: attached" xl usb-reconcile --wait 200
check "it is there" attached "$stick"
check "and the guest sees it" rig_wait_for 20 says "rig disk" \
    rig_guest_run $guest "head -c 8 /dev/sd?"

old=$stick
unplug stick
plug stick disk port=10 serial=OTHER
check "another stick in its place" [ "$stick" = "$old" ]
check "is not given away" eval '! xl usb-reconcile'
check "and has its driver on this host" \
    rig_wait_for 10 has_driver "$stick" usb-storage
unplug stick
plug stick disk port=10 serial=STICK

# --- by itself

xl usb-reconcile --watch >"$log" 2>&1 &
watcher=$!
check "the watcher attaches it" rig_wait_for 90 attached "$stick"
check "it has no more capabilities than it needs" \
    grep -q '^CapEff:[[:space:]]*00000000002c11e6$' "/proc/$watcher/status"
check "nor new privileges" \
    grep -q '^NoNewPrivs:[[:space:]]*1$' "/proc/$watcher/status"
check "a second watcher is refused" \
    refuses "runs already" xl usb-reconcile --watch
unplug stick
check "unplugged: its port is freed" rig_wait_for 90 not_listed "$stick"
plug stick disk port=8 serial=STICK
check "plugged in elsewhere: it comes back" \
    rig_wait_for 90 attached "$stick"
unplug twin
plug twin keyboard port=11 serial=
check "one without a serial too" rig_wait_for 90 attached "$twin"

rig_guest_stop $guest
check "the guest ends: the drivers are back" \
    rig_wait_for 15 has_driver "$stick" usb-storage
start_guest "uuid = '$uuid'"
check "it starts again: the stick comes back" \
    rig_wait_for 90 attached "$stick"
check "and the keyboard" rig_wait_for 90 attached "$twin"

rig_guest_stop $guest
start_guest "uuid = '4${uuid#?}'"
check "another UUID, the same name" rig_wait_for 90 attached "$stick"
check "is written down" says "4${uuid#?}" xl usb-assign --list

cat "$log"
rig_wait_for 90 attached "$twin"
sleep 3
echo "watcher: RSS $(rss_kib) KiB, $(ticks) ticks"
check "idle it uses no CPU" idle
check "and less than 8 MiB" [ "$(rss_kib)" -lt 8192 ]
check "SIGTERM ends it" kill "$watcher"
wait "$watcher"
check "in order" [ $? -eq 0 ]
watcher=
check "what is attached stays" attached "$stick"
check "unassign" says "nothing is assigned" xl usb-unassign $guest --all
check "nothing is left of it" \
    eval '! find /var/lib/libxl-ext/usb -name "*.json*" | grep .'
