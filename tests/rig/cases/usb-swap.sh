# SPDX-License-Identifier: LGPL-2.1-only
#
# A device becomes another one, in its place, at any moment of an attach, by a
# command or by the watcher: the guest gets the one that the policy allows, and
# never the other one.

. ./usb.bash

policy=/etc/xen/usb-policy.conf
forbidden=f426:5006
watcher=
stopped=
steps=4
log=$rig_tmp/watch

finish() {
    local status=$?
    [ -z "$watcher" ] || kill "$watcher"
    [ -z "$stopped" ] || kill -CONT $stopped
    [ $status -eq 0 ] || tail -n 40 "$log" "$rig_tmp/said" 2>/dev/null
    xl usb-unassign $guest --all >/dev/null 2>&1
    rm -f "$policy"
    (exit $status)
    tidy
}
trap finish EXIT

# In one look: it is the forbidden one, by its address before and after.
is_given_away() {
    local dir=/sys/bus/usb/devices/$place before after product driver
    before=$(<"$dir/devnum") && product=$(<"$dir/idProduct") &&
        driver=$(readlink "$dir:1.0/driver") && after=$(<"$dir/devnum") &&
        [ "$before" = "$after" ] && [ "$product" = "${forbidden#*:}" ] &&
        [ "${driver##*/}" = usbfs ]
} 2>/dev/null

# What the guest was told of, whether it is there still or not.
was_told() {
    rig_guest_run $guest "dmesg | grep -c 'idVendor=${1%:*}, idProduct=${1#*:}'"
}

# becomes FILE : another device at once, in the same place.
becomes() {
    place_now=$(rig_ip_tell dev replace "$rig_ip_devices/$1.usb") &&
        [ "$place_now" = "$place" ] &&
        rig_wait_for 20 test -e "/sys/bus/usb/devices/$place:1.0"
}

# Looks while COMMAND runs, too.
watched() {
    "$@" >>"$rig_tmp/said" 2>&1 &
    while kill -0 $! 2>/dev/null; do
        ! is_given_away || rig_fail "the guest has what is forbidden"
        rig__pause 0.02
    done
    wait $!
}

# attach_and_swap US : the device is another one so long after the beginning.
attach_and_swap() {
    local swapper
    check "the allowed one is there" becomes bulk-high
    (rig__pause "$(printf '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000)))"
        becomes fido) &
    swapper=$!
    watched xl usb-attach $guest "$place" --force
    wait $swapper || rig_fail "it was not swapped"
    ! is_given_away || rig_fail "the guest has what is forbidden"
    xl usb-detach $guest "$place" >/dev/null 2>&1
}

# The parts of the guest's backend that are root: its broker.
broker() {
    local main p
    main=$(<"/run/libxl-ext/usb/$domid.pid")
    for p in $(<"/proc/$main/task/$main/children"); do
        ! grep -q '^Uid:.0' "/proc/$p/status" || echo "$p"
    done
}

port_has_it() { xenstore-ls "$backend" | grep -q "= \"$place\""; }
port_is_known() { xenstore-ls "/libxl-ext/usb-backend/$domid" >/dev/null 2>&1; }

# Between the last look of the attach and the broker's: both stand still while the
# device becomes another one.
swap_behind_the_look() {
    local b attach
    b=$(broker)
    check "the allowed one is there" becomes bulk-high
    kill -STOP "$b" && stopped=$b
    xl usb-attach $guest "$place" --force >>"$rig_tmp/said" 2>&1 &
    attach=$!
    check "the device is in its port" rig_wait_for 20 port_has_it
    kill -STOP $attach && stopped+=" $attach"
    check "and becomes the forbidden one" becomes fido
    kill -CONT "$b"
    check "the backend has an answer" rig_wait_for 20 port_is_known
    watched rig__pause 1
    kill -CONT $attach
    stopped=
    ! wait $attach || rig_fail "it is attached"
    check "the backend has not taken it" has_driver "$place" usbhid
}

printf 'DENY: class=03\nALLOW:\n' >"$policy"
modprobe usbhid
ip_plug dev bulk-high
place=$dev
allowed=f426:5003
start_guest
check "a controller" xl usb-hc-create $guest

# --- by command

check "what is forbidden can be there" becomes fido
check "and is not attached" refuses "forbidden by policy" \
    xl usb-attach $guest "$place" --force
check "the allowed one is there" becomes bulk-high
rig_time "attach" xl usb-attach $guest "$place" --force
check "is attached" has_driver "$place" usbfs
took=$rig_took
check "detach" xl usb-detach $guest "$place"
for ((i = 0; i <= steps + 2; i++)); do
    attach_and_swap $((took * i / steps))
done
swap_behind_the_look
echo "MEASURE usb_swap attached=$(grep -c ': attached to' "$rig_tmp/said")" \
    "forbidden=$(grep -c 'forbidden by policy' "$rig_tmp/said")" \
    "meanwhile=$(grep -c 'meanwhile' "$rig_tmp/said")"
check "the guest was told of the allowed one" [ "$(was_told $allowed)" -gt 0 ]
check "but never of the forbidden one" [ "$(was_told $forbidden)" -eq 0 ]

# --- by the watcher

check "the allowed one is there" becomes bulk-high
told=$(was_told $allowed)
check "assign the place" xl usb-assign $guest "$place" --place --force
xl usb-reconcile --watch >>"$log" 2>&1 &
watcher=$!
for ((i = 1; i <= steps; i++)); do
    watched rig__pause "$((took * i / steps / 1000000)).$((i % 10))"
    becomes fido || rig_fail "it was not swapped"
    watched rig__pause "0.$((i % 10))"
    becomes bulk-high || rig_fail "it was not swapped"
done
check "the guest gets the allowed one in the end" rig_wait_for 60 eval \
    'shows $guest "$place" && has_driver "$place" usbfs'
check "and was told of it" [ "$(was_told $allowed)" -gt "$told" ]
check "of the forbidden one never" [ "$(was_told $forbidden)" -eq 0 ]
check "the forbidden one again" becomes fido
check "is this host's" rig_wait_for 60 has_driver "$place" usbhid
check "and the guest's ports are empty" \
    rig_wait_for 60 eval '! xl usb-list $guest | grep -q "$place"'
check "it was never there" [ "$(was_told $forbidden)" -eq 0 ]
