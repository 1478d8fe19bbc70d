# SPDX-License-Identifier: LGPL-2.1-only
#
# A program of this host has a device through usbfs, as usbmuxd and pcscd do: it
# keeps it, commands name it and do not wait for it, and nobody else's device
# waits either. When it has let go, the guest gets the device.

. ./usb.bash

endpoint=81
holder=
watcher=
log=$rig_tmp/watch

finish() {
    local status=$?
    [ -z "$watcher" ] || kill "$watcher"
    [ -z "$holder" ] || kill "$holder" 2>/dev/null
    [ $status -eq 0 ] || { cat "$log"; xl usb-assign --list; } 2>/dev/null
    xl usb-unassign $guest --all >/dev/null 2>&1
    (exit $status)
    tidy
}
trap finish EXIT

# It ends when somebody takes the device from it.
hold() {
    "$rig_tools/usb-try" hold "$1" $endpoint >"$rig_tmp/hold" 2>&1 &
    holder=$!
    rig_wait_for 20 grep -q held "$rig_tmp/hold"
}
still_holds() { kill -0 $holder && has_driver "$held" usbfs; }
let_go() { kill $holder; wait $holder; holder=; }

attached() { shows $guest "$1" && has_driver "$1" usbfs; }
not_listed() { ! xl usb-list $guest | grep -q "$1"; }
reported() { [ "$(grep -c "$1" "$log")" -ge "$2" ]; }

# Who waits for the program, waits for ever.
soon() { timeout 120 "$@"; }

plug held tablet port=5 serial=HELD
plug free tablet port=6 serial=FREE
start_guest
check "a program has the device" hold "$held"
by="in use by process usb-try (pid $holder)"
state >"$rig_tmp/before"
check "attach says who" refuses "$by" soon xl usb-attach $guest "$held" --wait 999
check "nor with --force" \
    refuses "$by" soon xl usb-attach $guest "$held" --force --wait 999
check "nothing has changed" unchanged
check "the list says so" says "$by" xl usb-list

check "assign warns" says "$by" xl usb-assign $guest "$held"
check "assign another" xl usb-assign $guest "$free"
check "reconcile says who" eval \
    '! soon xl usb-reconcile --wait 999 >"$log" 2>&1 && grep -q "$by" "$log"'
check "and attaches the other one" attached "$free"
check "the program has it still" still_holds

# --- the program is faster when the device is plugged in again

let_go
check "it has let go: reconcile attaches it" \
    says "usb $held: attached" xl usb-reconcile
unplug held
plug held tablet port=5 serial=HELD
check "plugged in again: the program has it" \
    eval 'hold "$held" || hold "$held"'
by="in use by process usb-try (pid $holder)"
xl usb-reconcile --watch >>"$log" 2>&1 &
watcher=$!
check "the watcher says who, and tries again" rig_wait_for 60 reported "$by" 1
check "the port is empty" not_listed "$held"
check "the other one stays" attached "$free"
check "the program has it still" still_holds
let_go
check "it lets go, and the guest gets the device" \
    rig_wait_for 60 attached "$held"
check "the other one has stayed" attached "$free"
