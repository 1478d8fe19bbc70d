# SPDX-License-Identifier: LGPL-2.1-only
#
# One device of each kind that people pass through, in use: first in dom0, then by
# a guest. What a security key is asked (U2FHID_PING) is echoed by a device of our
# own: no QEMU of Debian has u2f-emulated.

. ./usb.bash

pings=${pings:-1000}
ping=ffffffff8100080102030405060708$(printf '%0112d' 0)
status_of_slot=65000000000000000000
# GetDeviceInfo, as transaction 1. The answer: its data, with "QEMU" in UTF-16, and
# that this was all.
device_info=0c0000000100011001000000
line=/dev/virtio-ports/line

# --- what is asked of each; WHERE is dom0 or guest

in_dom0() { bash -c "PATH=$rig_tools:\$PATH; $1"; }
in_guest() { rig_guest_run -t 120 $guest "$1"; }

card_answers() {
    says 81000000000000 "$1" "usb-try ask 08e6:4433 82 03 $status_of_slot"
}
phone_answers() {
    local said
    said=$("$1" "usb-try ask 46f4:0004 81 02 $device_info 2") &&
        echo "$said" &&
        [[ $said == *0200011001000000*510045004d005500*0300012001000000* ]]
}
key_answers() { says "$ping" "$1" "usb-try ask f426:5006 81 01 $ping"; }

# The interface of the network card that is a USB device.
cable='for i in /sys/class/net/*; do
    [ ! -e $i/device/bInterfaceNumber ] || echo ${i##*/}
done'
has_cable() { [ -n "$("$1" "$cable")" ]; }
pinged() {
    in_guest "ifconfig \$($cable) 10.9.0.2 up" || return
    says "$pings packets transmitted, $pings packets received, 0% packet loss" \
        in_guest "ping -c $pings -A -q 10.9.0.1"
}

# Whatever comes out of the other end goes in again.
echoes() {
    cat <>$line >&0 &
    echoer=$!
}
mebibyte() {
    says "bytes=1048576 wrong=0" "$1" "usb-try line /dev/ttyUSB0 1048576 1024"
}

# --- dom0

modprobe -a cdc_ether virtio_net
plug card card
plug phone phone
plug net net
plug serial line
ip_plug key fido
check "a reader of cards answers dom0" card_answers in_dom0
check "a phone" phone_answers in_dom0
check "a key" key_answers in_dom0
check "a network card" rig_wait_for 10 has_cable in_dom0
echoes
check "a serial line echoes 1 MiB" mebibyte in_dom0

# --- a guest

start_guest
for device in card phone net serial; do
    check "attach $device" xl usb-attach $guest "${!device}"
done
check "attach key" xl usb-attach $guest "$key" --force
check "the guest sees the card" rig_wait_for 10 guest_sees 08e6:4433
check "the phone" rig_wait_for 10 guest_sees 46f4:0004
check "the key" rig_wait_for 10 guest_sees f426:5006
check "a reader of cards answers" card_answers in_guest
check "a phone" phone_answers in_guest
check "a key" key_answers in_guest
check "a network card" rig_wait_for 20 has_cable in_guest
busybox ifconfig eth0 10.9.0.1 up
check "$pings pings, none lost" pinged
busybox ifconfig eth0 0.0.0.0 down
check "a serial line" rig_wait_for 10 rig_guest_run $guest test -e /dev/ttyUSB0
check "echoes 1 MiB" mebibyte in_guest
kill $echoer
for device in card phone net serial key; do
    check "detach $device" xl usb-detach $guest "${!device}"
done
