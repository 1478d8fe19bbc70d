# SPDX-License-Identifier: LGPL-2.1-only
#
# A disk in a guest by our backend, one in another guest by QEMU's, and one in dom0 for
# comparison: requests a second, of 4 KiB and 64 KiB, one and eight at a time, and
# dom0's processor time for each, without what dom0 takes when nothing is asked for. Of
# the process that serves: its own time for a request, and how often it slept. Both
# guests are there all the time and are measured in turn, so that what else the host
# does slows both. Medians of --rounds N (3); measured, not judged.

. /rig/host/cases/usb.bash
. /rig/lib/measure.sh

rounds=${bench_rounds:-3}
seconds=${seconds:-4}
ours=usb-guest theirs=qemu-guest

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

# measure_one WHERE PID WHAT SIZE DEPTH COMMAND... : COMMAND, once. PID is who serves it.
measure_one() {
    local where=$1 pid=$2 kind="$3 $4 $5" said cpu us waits n
    us=$(process_us "$pid") waits=$(process_waits "$pid") cpu=$(dom0_ms)
    said=$("${@:6}" "$3" "$4" "$5" "$seconds") || rig_fail "$said"
    cpu=$(($(dom0_ms) - cpu - idle_ms))
    us=$(($(process_us "$pid") - us))
    waits=$(($(process_waits "$pid") - waits))
    [[ $said =~ requests=([0-9]+)\ us=([0-9]+) ]] || rig_fail "$said"
    n=${BASH_REMATCH[1]}
    [ "$n" -gt 0 ] || rig_fail "$where: no request was answered"
    note "$where" "$kind per_second" "$(rate "$n" "${BASH_REMATCH[2]}")"
    note "$where" "$kind dom0_us" $((cpu * 1000 / n))
    note "$where" "$kind process_us" $((us / n))
    note "$where" "$kind waits" "$(ratio "$waits" "$n")"
}

# each_kind COMMAND... : COMMAND with each direction, size and depth.
each_kind() {
    local what size depth
    for what in read write; do
        for size in 4096 65536; do
            for depth in 1 8; do
                "$@" $what $size $depth
            done
        done
    done
}

# of_both WHAT SIZE DEPTH : one turn each.
of_both() {
    measure_one ours "$worker" "$@" in_guest $ours
    [ -z "$qemu_pid" ] || measure_one qemu "$qemu_pid" "$@" in_guest $theirs
}

in_guest() { rig_guest_run -t 60 "$1" usb-try rate /dev/sda "${@:2}"; }
# What counts in the guest is a process ten times a second.
quiet_guest() { rig_guest_run $guest 'kill -STOP $(pidof ticker)'; }

report() {
    local where=$1 kind="$2 $3 $4"
    echo "MEASURE usb_backend where=$where $2=$3 depth=$4" \
        "per_second=$(of "$where" "$kind per_second")" \
        "dom0_us_each=$(of "$where" "$kind dom0_us")" \
        "process_us_each=$(of "$where" "$kind process_us")" \
        "waits_each=$(of "$where" "$kind waits")"
}

# A row of docs/measured.md.
row() {
    local kind="$1 $2 $3" a b c d
    a=$(of ours "$kind per_second") b=$(of qemu "$kind per_second")
    c=$(of ours "$kind dom0_us") d=$(of qemu "$kind dom0_us")
    line "$1 $(($2 / 1024)) KiB, $3" "$a" "$b" "$(ratio "$a" "$b")" \
        "$c" "$d" "$(ratio "$c" "$d")"
}

# --- memory

# The child that is not root.
worker_pid() {
    local main child
    main=$(cat "/run/libxl-ext/usb/$domid.pid")
    for child in $(cat "/proc/$main/task/$main/children"); do
        grep -q '^Uid:.0' "/proc/$child/status" || echo "$child"
    done
}

# memory NAME PID : what it has in memory: all; its share of what it shares; what
# is its own.
memory() {
    awk -v name="$1" '{ kib[$1] += $2 } END {
        print "MEASURE usb_backend_memory_kib process=" name, "rss=" kib["Rss:"],
            "pss=" kib["Pss:"],
            "private=" kib["Private_Clean:"] + kib["Private_Dirty:"] }' \
        "/proc/$2/smaps_rollup"
}

memory_of_ours() {
    local main child name
    main=$(cat "/run/libxl-ext/usb/$domid.pid")
    memory main "$main"
    for child in $(cat "/proc/$main/task/$main/children"); do
        name=broker
        [ "$child" != "$worker" ] || name=worker
        memory $name "$child"
        cat "/proc/$child/smaps" >"$RIG_OUT/$name.smaps"
    done
}

# --- ours

plug stick disk
plug other disk
block() {
    local d
    for d in /sys/class/block/*; do
        [[ $(readlink -f "$d") != */"$1":* ]] || basename "$d"
    done | head -n 1
}
in_dom0() { "$rig_tools/usb-try" rate "/dev/$(block "$stick")" "$@"; }
is_disk() { [ -n "$(block "$1")" ]; }

check "disks" rig_wait_for 10 eval 'is_disk "$stick" && is_disk "$other"'
note_idle sleep $seconds
dom0_kind() { measure_one dom0 $$ "$@" in_dom0; }
each_kind dom0_kind
each_kind report dom0
start_guest
rig_time "the first attach, with the backend's start" \
    xl usb-attach $guest "$stick"
check "a disk in the guest" rig_wait_for 20 rig_guest_run $guest test -e /dev/sda
quiet_guest
worker=$(worker_pid)
memory_of_ours

# --- a QEMU's, as libxl has it serve qusb (before 10.0, which ends of it)

for qemu in /usr/libexec/xen-qemu-system-i386 /usr/lib/xen/bin/qemu-system-i386
do
    [ ! -x $qemu ] || break
done
attr() { cat "/sys/bus/usb/devices/$other/$1"; }
start_qemu() {
    guest=$theirs
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
    check "a disk in the guest" rig_wait_for 20 \
        rig_guest_run $guest test -e /dev/sda
    quiet_guest
    memory qemu $qemu_pid
}
qemu_pid=
if [ "$($qemu --version | sed -n 's/.*version \([0-9]*\).*/\1/p')" -lt 10 ]; then
    start_qemu
fi

# --- both

note_idle rig_guest_run -t 60 $ours sleep $seconds
for ((round = 1; round <= rounds; round++)); do
    each_kind of_both
    [ -n "$qemu_pid" ] || continue
    line "$round of $rounds" ours QEMU ratio "dom0 us, ours" QEMU ratio
    each_kind row
done
each_kind report ours
[ -n "$qemu_pid" ] || exit 0
each_kind report qemu
"$rig_xl" usbdev-detach $theirs 0 1
# libxl ends the QEMU with its guest.
check "away with both" "$rig_xl" destroy $theirs
wait "$qemu_pid"
guest=$ours
