# SPDX-License-Identifier: LGPL-2.1-only
#
# A device that was pulled out while attached is in nobody's way: its port is
# freed by itself. Where it is not, it stops the distribution's xl from attaching
# anything to anybody, and not ours. Then eight commands at once, and a watcher
# that was killed.

. ./usb.bash

plug pulled serial
plug stick disk
plug other disk
plug tablet tablet
plug mouse mouse
plug keyboard keyboard
start_guest
jobs=()

attr() { cat "/sys/bus/usb/devices/$1/$2"; }

# theirs DEVICE PORT : the distribution's usbdev-attach
theirs() {
    "$rig_xl" usbdev-attach $guest "hostbus=$(attr "$1" busnum)" \
        "hostaddr=$(attr "$1" devnum)" controller=0 port="$2"
}

supervisor() { cat "/run/libxl-ext/usb/$domid.pid"; }
is_freed() { ! xl usb-list $guest | grep -q "$1"; }

check "attach" xl usb-attach $guest "$stick"
unplug stick
check "its port is freed" rig_wait_for 10 is_freed "$stick"
check "and nothing is written down" \
    eval '! xenstore-exists "/libxl-ext/usb/$stick"'
check "the distribution's xl can attach" \
    rig_wait_for 60 theirs "$tablet" 5
check "detach" xl usb-detach $guest "$tablet"

# --- by nobody: the process that would is stopped

check "attach" xl usb-attach $guest "$pulled"
parts=$(cat "/proc/$(supervisor)/task/$(supervisor)/children")
# shellcheck disable=SC2086 # numbers
kill -STOP "$(supervisor)" $parts
unplug pulled
check "the list says it is gone" shows $guest "$pulled" \
    "- +\(not plugged in\)"
check "the distribution's xl cannot attach another" \
    eval '! theirs "$other" 5 2>/dev/null'
# shellcheck disable=SC2086
kill -CONT "$(supervisor)" $parts
check "until its port is freed" rig_wait_for 10 is_freed "$pulled"
check "the distribution's xl can again" rig_wait_for 10 theirs "$tablet" 5
check "detach what it attached" xl usb-detach $guest "$tablet"

# --- eight at once: four devices, each wanted twice

for device in "$other" "$tablet" "$mouse" "$keyboard"; do
    for n in 1 2; do
        xl usb-attach $guest "$device" --wait 60 \
            >"$rig_tmp/said-$device-$n" 2>&1 &
        jobs+=($!)
    done
done
wait "${jobs[@]}"
cat "$rig_tmp"/said-*
check "four got in" \
    [ "$(cat "$rig_tmp"/said-* | grep -c 'attached to domain')" -eq 4 ]
check "four were told who has it" \
    [ "$(cat "$rig_tmp"/said-* | grep -c 'attached already to')" -eq 4 ]
check "on four ports" \
    [ "$(shows $guest "1-[^ ]*" "" "[1-4]" | wc -l)" -eq 4 ]
check "all away" xl usb-hc-destroy $guest 0
check "each has its driver" eval 'has_driver "$other" usb-storage &&
    has_driver "$tablet" usbhid && has_driver "$mouse" usbhid &&
    has_driver "$keyboard" usbhid'

# --- a watcher that was killed

check "assign" xl usb-assign $guest "$tablet"
xl usb-reconcile --watch >"$rig_tmp/watch" 2>&1 &
watcher=$!
check "the watcher attaches it" rig_wait_for 60 has_driver "$tablet" usbfs
kill -KILL $watcher
wait $watcher 2>/dev/null
check "what is attached stays" has_driver "$tablet" usbfs
check "away with it" xl usb-detach $guest "$tablet"
xl usb-reconcile --watch >"$rig_tmp/watch" 2>&1 &
watcher=$!
check "another takes its place" rig_wait_for 60 has_driver "$tablet" usbfs
kill -TERM $watcher
wait $watcher || rig_fail "the watcher ends with $?"
check "unassign" xl usb-unassign $guest --all
check "all away" xl usb-hc-destroy $guest 0
