# SPDX-License-Identifier: LGPL-2.1-only
#
# The test devices of our own (tests/rig/usbip) and what cases do with them
# (tests/rig/usbfs), in dom0 itself: what a case of a backend finds wrong is then
# the backend's.

. ./usb.bash

try() { "$rig_tools/usb-try" "$@"; }
attribute() { cat "/sys/bus/usb/devices/$1/$2"; }
stat_is() { [ "$(rig_ip_stat "$1" "$2" "$3")" = "$4" ]; }

# --- speeds

ip_plug high stream-high
ip_plug full stream-full
ip_plug low mouse-low
ip_plug super bulk-super
check "low speed" [ "$(attribute "$low" speed)" = 1.5 ]
check "full speed" [ "$(attribute "$full" speed)" = 12 ]
check "high speed" [ "$(attribute "$high" speed)" = 480 ]
check "SuperSpeed" [ "$(attribute "$super" speed)" = 5000 ]
check "a string" [ "$(attribute "$high" serial)" = STREAM-HIGH ]
rig_ip_end low

# --- isochronous

check "8,000 packets a second for 5 s" heard_well \
    "$(try listen "$high" 81 40000 192 32 16)"
check "1,000 packets a second" heard_well "$(try listen "$full" 81 3000 192 8 8)"
check "packets out" rig_ip_tell full 02=ordinary
check "48 kHz for 3 s" says "bad=0" try play "$full" 02 3
check "all of them arrived, and half a second of silence" \
    stat_is full 02 bytes 672768
check "who is late has lost packets" eval \
    '! heard_all "$(try listen "$high" 81 8000 192 4 1)"'
rig_ip_end full
rig_ip_end high

# --- bulk

for device in high super; do
    [ $device = super ] || ip_plug high bulk-high
    check "$device: 8 MiB in" says "bytes=8388608 wrong=0" \
        try bulk "${!device}" 81 8388608 65536 4
    check "$device: 8 MiB out" says "bytes=8388608 wrong=0" \
        try bulk "${!device}" 02 8388608 65536 4
    check "$device: as they were sent" stat_is $device 02 wrong 0
done
rig_ip_end super
check "echo" rig_ip_tell high 85=echo
check "echo" rig_ip_tell high 06=echo
check "there and back" says "bytes=262144 wrong=0" \
    try echo "$high" 85 06 262144 4096
check "a vendor's request" try control "$high" 4001000000000400 01020304
check "has kept it" says 01020304 try control "$high" c001000000000400

# --- what devices do wrong

expect_error() {
    rig_ip_tell high "$1" >/dev/null &&
        ! try bulk "$high" 81 65536 4096 4 >"$rig_tmp/said" 2>&1 &&
        grep "$2" "$rig_tmp/said"
}
check "stall" expect_error 81=stall "Broken pipe"
check "babble" expect_error 81=babble "Value too large"
check "halt" expect_error 81=halt "Broken pipe"
check "until it is cleared" try control "$high" 0201000081000000
check "goes on" try bulk "$high" 81 65536 4096 4
check "short packets" rig_ip_tell high 81=short:100
check "are short" says wrong=1 eval 'try bulk "$high" 81 65536 4096 4 || true'

check "hang" rig_ip_tell high 85=hang
check "50 requests, unlinked" says "answers=50 unlinked=50 twice=0" \
    try unlink "$high" 85 50 4096
try unlink "$high" 85 50 4096
check "the device was told of each" stat_is high 85 unlinks 100
check "and has none left" stat_is high 85 pending 0

# --- plugs

gone() { [ ! -e "/sys/bus/usb/devices/$1" ]; }
rig_ip_tell high 81=ordinary >/dev/null
check "pull it out" rig_ip_pull high
check "it is gone" rig_wait_for 10 gone "$high"
check "again" rig_ip_again high
check "to be pulled in the middle" rig_ip_tell high pull at 100
check "of a transfer" eval '! try bulk "$high" 81 1000000000 65536 4'
check "is gone" rig_wait_for 10 gone "$high"
check "at that request" stat_is high 81 answers 100

"$rig_tools/usb-try" gone >"$rig_tmp/gone" &
watcher=$!
check "watch" rig_wait_for 5 grep -q ready "$rig_tmp/gone"
rig_time "20 plugs" rig_ip_tell high cycle 20 50
check "all were seen" rig_wait_for 10 \
    eval '[ "$(grep -c ^removed "$rig_tmp/gone")" = 20 ]'
kill $watcher
grep -h "^removed" "$rig_tmp/gone" | cut -d " " -f 2 >"$rig_tmp/seen"
grep -h "^pulled" "$rig_tmp/ip-high.log" | tail -n 20 | cut -d " " -f 2 |
    paste -d " " - "$rig_tmp/seen" | awk '{ print $2 - $1 }' | sort -n |
    awk '{ t[NR] = $1 } END { print "us until dom0 says so: median " t[10] \
        ", most " t[20] }'
rig_ip_end high

# --- lies

check "lies" rig_ip_start lies $rig_ip_devices/lies.usb
lies=$(rig_ip_tell lies plug)
rig_wait_for 10 test -e "/sys/bus/usb/devices/$lies/descriptors" || true
sleep 1
dmesg | tail -n 5
check "dom0 lives" rig_ip_tell lies stats
rig_ip_end lies

# --- a security key

ip_plug key fido
ping=ffffffff8100080102030405060708$(printf '%0112d' 0)
check "the key echoes a ping" says "$ping" try ask "$key" 81 01 "$ping"
rig_ip_end key
