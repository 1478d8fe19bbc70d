# SPDX-License-Identifier: LGPL-2.1-only
#
# Where the distribution's xl goes wrong and ours does not, beside each other;
# README.md says which case shows what else. Each "theirs" is the fault as it is:
# when one is mended there, this case fails, and may lose it.

. ./usb.bash

attr() { cat "/sys/bus/usb/devices/$1/$2"; }

# theirs DEVICE PORT [HOSTADDR] : the distribution's usbdev-attach
theirs() {
    "$rig_xl" usbdev-attach $guest "hostbus=$(attr "$1" busnum)" \
        "hostaddr=${3:-$(attr "$1" devnum)}" controller=0 port="$2"
}

theirs_has() { "$rig_xl" usb-list $guest | grep -q "Port $1: Bus"; }

plug tablet tablet
plug super disk port=1
# An address that reads otherwise in octal.
plug disk disk
while [ "$(attr "$disk" devnum)" -lt 8 ]; do
    unplug disk
    plug disk disk
done
octal=$(printf '0%o' "$(attr "$disk" devnum)")
start_guest
# It makes none itself for a guest without a device model.
check "a controller" xl usb-hc-create $guest

# --- a port that is not there is success, no port (11)

check "theirs: port 99, success" theirs "$tablet" 99
check "theirs: which no backend has" has_driver "$tablet" usbhid
xenstore-rm "$backend/0/port/99"
check "ours: says why not" refuses "no port 30" \
    xl usb-attach $guest "$tablet" controller=0 port=30

# --- what QEMU's backend answers with an error, ours carries

check "theirs: a SuperSpeed device, success" theirs "$super" 1
check "and the guest has it" rig_wait_for 10 guest_sees 46f4:0001
check "take it away" xl usb-detach $guest "$super"

# --- an address in any base (8)

check "theirs: takes an address for octal" theirs "$disk" 2 "$octal"
check "theirs: another device than that number's" \
    rig_wait_for 20 has_driver "$disk" usbfs
check "take it away" xl usb-detach $guest "$disk"
check "ours: there is no device of that number" refuses "no such device" \
    xl usbdev-attach $guest "hostbus=$(attr "$disk" busnum)" \
    "hostaddr=$octal" controller=0 port=2
check "the disk is the host's" has_driver "$disk" usb-storage

# --- lost by save and restore (1)

check "theirs: attach" theirs "$tablet" 3
check "theirs: it is there" rig_wait_for 20 has_driver "$tablet" usbfs
check "theirs: save" "$rig_xl" save $guest "$rig_tmp/save" >/dev/null
check "theirs: restore" "$rig_xl" restore "$rig_tmp/save" >/dev/null
check "theirs: the device is lost" eval '! theirs_has 3'
rm "$rig_tmp/save"
rig_guest_stop $guest
unplug tablet
plug tablet tablet

start_guest
check "ours: attach" xl usb-attach $guest "$tablet"
check "ours: save" xl save --usb=detach $guest "$rig_tmp/save" >/dev/null
check "ours: restore" xl restore "$rig_tmp/save" >/dev/null
rm "$rig_tmp/save"
domid=$(rig_domid $guest)
backend=/local/domain/0/backend/qusb/$domid
check "ours: it comes back" rig_wait_for 60 \
    says "usb $tablet: attached" xl usb-reconcile --wait 60
check "ours: the guest has it" rig_wait_for 20 has_driver "$tablet" usbfs
check "take it away" xl usb-detach $guest "$tablet"

# --- two commands at once, one device (5)

at_once() {
    "$1" "$tablet" 4 >"$rig_tmp/one" 2>&1 &
    "$1" "$tablet" 5 >"$rig_tmp/two" 2>&1
    local two=$? one=0
    wait $! || one=$?
    ended=$((two == 0 ? 1 : 0))
    [ $one -ne 0 ] || ended=$((ended + 1))
}

ours() { xl usb-attach $guest "$1" controller=0 port="$2"; }

theirs_twice() {
    local i
    for i in 1 2 3 4 5; do
        at_once theirs
        [ $ended -ne 2 ] || return 0
        xl usb-detach $guest "$tablet"
    done
    return 1
}

at_once ours
check "ours: one of two has it" [ $ended -eq 1 ]
check "ours: the other says so" grep -q "$tablet: " "$rig_tmp/one" "$rig_tmp/two"
check "take it away" xl usb-detach $guest "$tablet"
check "theirs: both have it" theirs_twice
check "theirs: in one port" port_is 0 4 "$tablet"
check "theirs: and in another" port_is 0 5 "$tablet"
