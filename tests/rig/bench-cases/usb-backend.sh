# SPDX-License-Identifier: LGPL-2.1-only
#
# A disk in a guest, by our backend and by QEMU's, and in dom0 for comparison:
# requests a second, of 4 KiB and 64 KiB, one and eight at a time, and dom0's
# processor time for each, without what dom0 takes when nothing is asked for. Of the
# process that serves: its own time for a request, and how often it slept. Measured,
# not judged.

. /rig/host/cases/usb.bash
. /rig/lib/measure.sh

seconds=${seconds:-6}

# dom0's processor time in ms: what Xen has counted.
dom0_ms() { "$rig_xl" list 0 | awk 'NR == 2 { print $NF * 1000 }'; }

# How long a process has run, in us, and how often it has waited.
process_us() { cut -d ' ' -f 1 "/proc/$1/schedstat" | sed 's/...$//'; }
process_waits() {
    sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' "/proc/$1/status"
}

# What dom0 takes in $seconds while COMMAND waits: the rig has to look after it.
note_idle() {
    local cpu
    cpu=$(dom0_ms)
    "$@"
    idle_ms=$(($(dom0_ms) - cpu))
    echo "MEASURE usb_backend_idle seconds=$seconds dom0_ms=$idle_ms"
}

# measure WHERE PID COMMAND... : COMMAND with each size, depth and direction. PID is
# who serves it.
measure() {
    local where=$1 pid=$2 what size depth said cpu us waits
    shift 2
    for what in read write; do
        for size in 4096 65536; do
            for depth in 1 8; do
                us=$(process_us "$pid") waits=$(process_waits "$pid")
                cpu=$(dom0_ms)
                said=$("$@" $what $size $depth $seconds) || rig_fail "$said"
                cpu=$(($(dom0_ms) - cpu - idle_ms))
                us=$(($(process_us "$pid") - us))
                waits=$(($(process_waits "$pid") - waits))
                report "$where" $what $size $depth "$said" "$cpu"
            done
        done
    done
}

report() {
    local n took
    [[ $5 =~ requests=([0-9]+)\ us=([0-9]+) ]] || rig_fail "$5"
    n=${BASH_REMATCH[1]} took=${BASH_REMATCH[2]}
    [ "$n" -gt 0 ] || rig_fail "$1: no request was answered"
    echo "MEASURE usb_backend where=$1 $2=$3 depth=$4 per_second=$(rate "$n" \
        "$took") dom0_us_each=$(($6 * 1000 / n)) process_us_each=$((us / n))" \
        "waits_each=$(ratio "$waits" "$n")"
}

in_guest() {
    rig_guest_run -t 60 $guest usb-try rate /dev/sda "$@"
}
# What counts in the guest is a process ten times a second.
quiet_guest() { rig_guest_run $guest 'kill -STOP $(pidof ticker)'; }
# The child that is not root.
worker_pid() {
    local main child
    main=$(cat "/run/libxl-ext/usb/$domid.pid")
    for child in $(cat "/proc/$main/task/$main/children"); do
        grep -q '^Uid:.0' "/proc/$child/status" || echo "$child"
    done
}
in_dom0() { "$rig_tools/usb-try" rate "/dev/$(block)" "$@"; }
block() {
    local d
    for d in /sys/class/block/*; do
        [[ $(readlink -f "$d") != */"$stick":* ]] || basename "$d"
    done | head -n 1
}
# What the backend's processes have in memory, in KiB.
resident() {
    local p
    for p in /proc/[0-9]*; do
        ! tr '\0' ' ' <"$p/cmdline" | grep -q '[x]l-ext-usb\|[q]emu-system' ||
            sed -n "s/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p" "$p/status"
    done 2>/dev/null | awk '{ sum += $1 } END { print sum + 0 }'
}

plug stick stick
check "the stick is a disk" rig_wait_for 10 eval '[ -n "$(block)" ]'
note_idle sleep $seconds
measure dom0 $$ in_dom0
start_guest
rig_time "the first attach, with the backend's start" \
    xl usb-attach $guest "$stick"
check "a disk in the guest" rig_wait_for 20 rig_guest_run $guest test -e /dev/sda
quiet_guest
note_idle rig_guest_run -t 60 $guest sleep $seconds
measure guest "$(worker_pid)" in_guest
usb_processes
echo "MEASURE usb_backend_kib $(resident)"

# --- by a QEMU, as libxl has it serve qusb (before 10.0, which ends of it)

check "away with it" xl usb-hc-destroy $guest 0
xl destroy $guest
for qemu in /usr/libexec/xen-qemu-system-i386 /usr/lib/xen/bin/qemu-system-i386
do
    [ ! -x $qemu ] || break
done
[ "$($qemu --version | sed -n 's/.*version \([0-9]*\).*/\1/p')" -lt 10 ] || exit 0
attr() { cat "/sys/bus/usb/devices/$stick/$1"; }
check "the host has the stick" rig_wait_for 10 eval '[ -n "$(block)" ]'
start_guest
$qemu -xen-domid "$domid" -nodefaults -no-user-config -xen-attach -name bench \
    -display none -machine xenpv -m 1 2>"$rig_tmp/qemu" &
qemu_pid=$!
check "QEMU announces itself" rig_wait_for 30 \
    xenstore-exists "/local/domain/0/device-model/$domid/backends/qusb"
# What libxl looks at before it counts on a device model.
xenstore-write "/local/domain/$domid/image/device-model-pid" $qemu_pid \
    "/local/domain/0/device-model/$domid/state" running
check "a controller" "$rig_xl" usbctrl-attach $guest type=qusb
check "connected" rig_wait_for 20 eval \
    '[ "$(xenstore-read "$backend/0/state")" = 4 ]'
check "the stick" "$rig_xl" usbdev-attach $guest "hostbus=$(attr busnum)" \
    "hostaddr=$(attr devnum)" controller=0 port=1
check "a disk in the guest" rig_wait_for 20 rig_guest_run $guest test -e /dev/sda
quiet_guest
note_idle rig_guest_run -t 60 $guest sleep $seconds
measure qemu $qemu_pid in_guest
echo "MEASURE usb_backend_qemu_kib $(resident)"
"$rig_xl" usbdev-detach $guest 0 1
# libxl ends the QEMU with its guest.
check "away with both" "$rig_xl" destroy $guest
wait "$qemu_pid"
true
