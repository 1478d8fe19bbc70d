# SPDX-License-Identifier: LGPL-2.1-only
#
# SuperSpeed devices: PVUSB knows high speed at most, so the guest is told that
# they are such, and data goes as fast as the real link. Isochronous ones are
# refused. QEMU's backend takes none. 256 MiB in cases-long.

. /rig/host/cases/usb.bash

mib=${mib:-64}
limit=${limit:-250} # seconds for so much, in the guest
size=$((mib << 20))
block() {
    local d
    for d in /sys/class/block/*; do
        [[ $(readlink -f "$d") != */"$stick":* ]] || basename "$d"
    done | head -n 1
}
sum_of() { head -c $size | sha256sum | cut -d ' ' -f 1; }
guest_sum() {
    rig_guest_run -t $limit $guest \
        "dd if=$1 bs=1M count=$mib 2>/dev/null | sha256sum" | cut -d ' ' -f 1
}

plug stick stick port=1
ip_plug streams bulk-super
ip_plug camera stream-super
check "SuperSpeed" [ "$(cat "/sys/bus/usb/devices/$stick/speed")" = 5000 ]
start_guest memory=512

check "attach a stick" xl usb-attach $guest "$stick"
check "the guest sees it" rig_wait_for 10 guest_sees 46f4:0001
check "as a disk" rig_wait_for 20 rig_guest_run $guest test -e /dev/sda
check "at high speed" says 480 rig_guest_run $guest \
    'cat $(dirname $(grep -l 46f4 /sys/bus/usb/devices/*/idVendor))/speed'
check "$mib MiB" rig_guest_run -t $limit $guest pattern write /mem/p $mib 7
sum=$(guest_sum /mem/p)
rig_time "$mib MiB to the stick" rig_guest_run -t $limit $guest \
    dd if=/mem/p of=/dev/sda bs=1M oflag=direct
check "written" [ $? = 0 ]
rig_guest_run $guest rm /mem/p
check "detach" xl usb-detach $guest "$stick"
check "dom0 has it" rig_wait_for 10 eval '[ -n "$(block)" ]'
node=/dev/$(block)
check "with what the guest wrote" [ "$(sum_of <"$node")" = "$sum" ]

dd if=/dev/urandom of="$node" bs=1M count=$mib conv=fsync status=none
sum=$(sum_of <"$node")
check "attach again" xl usb-attach $guest "$stick"
check "as a disk" rig_wait_for 20 rig_guest_run $guest test -e /dev/sda
rig_time "$mib MiB from the stick" guest_sum /dev/sda >"$rig_tmp/sum"
check "what dom0 wrote" [ "$(head -n 1 "$rig_tmp/sum")" = "$sum" ]
check "detach" xl usb-detach $guest "$stick"

rig_ip_tell streams 85=echo >/dev/null
rig_ip_tell streams 06=echo >/dev/null
check "attach streams" xl usb-attach $guest "$streams" --force
check "the guest sees them" rig_wait_for 10 guest_sees f426:5004
check "in" says "bytes=16777216 wrong=0" rig_guest_run -t 60 $guest \
    usb-try bulk f426:5004 81 16777216 16384 4
check "out" says "bytes=16777216 wrong=0" rig_guest_run -t 60 $guest \
    usb-try bulk f426:5004 02 16777216 16384 4
check "as they were sent" [ "$(rig_ip_stat streams 02 wrong)" = 0 ]
# 1536: a whole packet at high speed, half a one at SuperSpeed.
for length in 512 1024 1536 8192; do
    check "$length bytes there and back" says "wrong=0" rig_guest_run $guest \
        usb-try echo f426:5004 85 06 $((length * 20)) $length
done
told() {
    rig_guest_run $guest 'cd /sys/bus/usb/devices; for d in *; do
        [ "$(cat $d/idProduct 2>/dev/null)" != 5004 ] ||
            echo $(cat $d/version $d/bMaxPacketSize0 $d/speed)
    done'
}
check "the guest is told of high speed" eval '[[ $(told) =~ ^2\.[01]0\ 64\ 480 ]]'
check "isochronous ones are refused" refuses "isochronous" \
    xl usb-attach $guest "$camera" --force
