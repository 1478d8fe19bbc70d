# SPDX-License-Identifier: LGPL-2.1-only
#
# A device by each of its names, twins told apart or refused, xm's and xl's
# forms of the commands, and the list of what can be attached.

. ./usb.bash

plug one disk serial=TWIN-1
plug two disk serial=TWIN-2
plug tablet tablet
plug hub hub
plug behind mouse "port=${hub#*-}.1"
start_guest

attr() { cat "/sys/bus/usb/devices/$1/$2"; }

listed() { xl usb-list-assignable-devices "$@"; }

check "the list has the twins" says "$one" listed
check "and what is behind the hub" says "$behind" listed
check "not the hub itself" eval '! listed | grep -q "^$hub "'
check "--all has it, and why" says "[is a hub:" listed --all
check "JSON has serial numbers" says '"serial": "TWIN-2"' listed --json

check "vendor:product of twins is refused" \
    refuses "(serial TWIN-1), " xl usb-attach $guest 46f4:0001
check "with the serial number it is one" \
    says "usb $two: attached" xl usb-attach $guest 46f4:0001:TWIN-2
check "the list has it no more" eval '! listed | grep -q "^$two "'
check "--all says who has it" \
    says "attached already to domain $domid" listed --all
check "of the twins the guest has one" \
    says "usb $two: detached" xl usb-detach $guest 46f4:0001

address=$(attr "$tablet" busnum).$(attr "$tablet" devnum)
check "bus.address" says "usb $tablet: attached" xl usb-attach $guest "$address"
check "a place behind the hub" says "attached" xl usb-attach $guest "$behind"
check "the guest sees it" rig_wait_for 5 eval "[ \$(rig_guest_run $guest \
    'grep -l 0627 /sys/bus/usb/devices/*/idVendor' | wc -l) = 2 ]"
check "both away" eval "xl usb-detach $guest $behind && \
    xl usb-detach $guest $address"

check "xm's form" \
    says "usb $one: attached to domain $domid, controller 0 port 4" \
    xl usb-attach $guest 0 4 "$one"
check "xm's form of detach" says "usb $one: detached" xl usb-detach $guest 0 4
check "xl's form" says "controller 0 port 2" \
    xl usbdev-attach $guest "hostbus=$(attr "$one" busnum)" \
    "hostaddr=$(attr "$one" devnum)" controller=0 port=2 type=hostdev
check "xl's form of detach" xl usbdev-detach $guest 0 2
check "xl's name of hc-create" says "controller 1 created" \
    xl usbctrl-attach $guest version=2 ports=4
check "and hc-destroy" xl usbctrl-detach $guest 1

state >"$rig_tmp/before"
check "--dry-run tells the steps" says "would put usb $one on port 1" \
    xl usb-attach $guest "$one" --dry-run
check "and does nothing" unchanged

check "each device has its driver" eval 'has_driver "$one" usb-storage &&
    has_driver "$two" usb-storage && has_driver "$tablet" usbhid &&
    has_driver "$behind" usbhid'
check "the controller goes" xl usb-hc-destroy $guest 0
