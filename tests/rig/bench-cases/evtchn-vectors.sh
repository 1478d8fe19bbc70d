# shellcheck shell=bash disable=SC2154,SC2086,SC2046,SC2016
# SPDX-License-Identifier: LGPL-2.1-only
#
# A guest with eight network interfaces, a disk and four vCPUs: round trips of a
# quiet interface, and reads of the disk, while others are busy (each gets $rate
# packets a second, half of what the guest can take by all) or flooded; throughput
# of all, and what a packet costs. Four ways:
# the upcall on vCPU 0, the upcall spread by Linux's own affinity, vectors on vCPU
# 0, vectors spread. Each round does all ways in turn.

. /rig/lib/rig.sh
. /rig/lib/measure.sh
set -u

params=/sys/module/xen_vec/parameters
nets=8 vcpus=4 seconds=5 trips=200 rate=150
# How many others, and how busy.
besides="0 1 3 7 7-flooded"
rounds=${bench_rounds:-5}
ways="upcall upcall-spread vectors vectors-spread"
floods=()

clean_up() {
    stop_floods
    [ -z "${echo:-}" ] || kill $echo
    rig_guest_stop g
    for ((n = 0; n < nets; n++)); do ip link del xenbr$n; done
    losetup -d $loop
}
trap clean_up EXIT

in_guest() { rig_guest_run -t 300 g "$@" || rig_fail "in the guest: $*"; }

# --- the guest --------------------------------------------------------------

start() {
    local n vif=""
    modprobe -a xen-netback bridge xen-blkback loop
    truncate -s 1M "$RIG_TMP/disk"
    loop=$(losetup -f --show "$RIG_TMP/disk")
    echo 1 >/sys/module/xen_netback/parameters/max_queues
    for ((n = 0; n < nets; n++)); do
        ip link add xenbr$n type bridge
        ip addr add 10.9.$n.1/24 dev xenbr$n
        ip link set xenbr$n up
        vif+="'bridge=xenbr$n',"
    done
    rig_guest_start g pvh vcpus=$vcpus "vif = [ $vif ]" \
        "disk = [ 'format=raw,vdev=xvda,backendtype=phy,target=$loop' ]"
    in_guest "for n in 0 1 2 3 4 5 6 7; do
        ifconfig eth\$n 10.9.\$n.2 netmask 255.255.255.0 up; done"
    /rig/tools/udp echo 7000 & echo=$!
    in_guest "udp rtt 10.9.0.1 7000 10"
}

# Interface n on vCPU n % vcpus, or all on 0; the disk where Linux put it. The quiet
# interface, 0, shares its vCPU with 4: a guest has more devices than vCPUs.
mask_of() { [ "$1" = one ] && echo 1 || echo '$((1 << n % '$vcpus'))'; }

# affinity CHIP MASK : of the interrupts of that chip, by the interface in the name.
affinity() {
    in_guest "sed -n '/$1/s/^ *\([0-9]*\):.*vif\([0-9]\)-q0.*/\1 \2/p' \
        /proc/interrupts | while read irq n; do
            echo $2 >/proc/irq/\$irq/smp_affinity || exit 1; done"
}

# choose WAY : from now on.
choose() {
    case $1 in
    upcall*) in_guest "rmmod xen-vec 2>/dev/null; true" ;;
    *) in_guest "modprobe xen-vec; echo vif,vbd >$params/channels" ;;
    esac
    case $1 in
    upcall) affinity xen-dyn "$(mask_of one)" ;;
    upcall-spread) affinity xen-dyn "$(mask_of each)" ;;
    vectors) affinity ' xen-vec ' "$(mask_of one)" ;;
    vectors-spread) affinity ' xen-vec ' "$(mask_of each)" ;;
    esac
}

# --- the load ---------------------------------------------------------------

# send RATE N : to each of the last N interfaces.
send() {
    local n to=()
    for ((n = nets - $2; n < nets; n++)); do to+=("10.9.$n.2"); done
    [ "$2" = 0 ] || { /rig/tools/udp flood 7001 "$1" "${to[@]}" & floods+=($!); }
}

# flood N|N-flooded
flood() {
    in_guest "udp sink 7001 100000 </dev/null >/dev/null 2>&1 &
        echo \$! >/run/sink"
    case $1 in
    *-flooded) send 0 "${1%-*}" ;;
    *) send $rate "$1" ;;
    esac
}

stop_floods() {
    [ ${#floods[@]} = 0 ] || kill "${floods[@]}" 2>/dev/null
    floods=()
    rig_guest_run g 'kill $(cat /run/sink) 2>/dev/null'
}

# quiet WAY BESIDE : round trips and reads of what is quiet.
quiet() {
    flood "$2"
    spread_of "$1" "trip" "$2" $(in_guest "udp rtt 10.9.0.1 7000 $trips")
    spread_of "$1" "read" "$2" $(in_guest "reads /dev/xvda $trips")
    stop_floods
}

# spread_of WAY WHAT BESIDE P50 P99 LONGEST LOST
spread_of() {
    note "$1" "$2-p50-$3" "$4"
    note "$1" "$2-p99-$3" "$5"
    echo "$1, beside $3, $2: p50 $4 us, p99 $5 us, longest $6 us, $7 lost"
}

guest_us() { /rig/tools/domain-time "$(rig_domid g)"; }

interrupts() {
    in_guest "sed -n '/ xen-vec \|HYP:/p' /proc/interrupts" |
        awk -v n=$vcpus '{ for (i = 2; i < n + 2; i++) sum += $i }
            END { print sum + 0 }'
}

# all_at_once WAY : packets received, and the guest's time and interrupts for each.
all_at_once() {
    local us irqs nr
    us=$(guest_us)
    irqs=$(interrupts)
    send 0 $nets
    nr=$(in_guest "udp sink 7001 $seconds")
    kill "${floods[@]}"
    floods=()
    us=$(($(guest_us) - us))
    irqs=$(($(interrupts) - irqs))
    note "$1" packets $((nr / seconds))
    note "$1" us-per-packet $((us / (nr + 1)))
    note "$1" interrupts-per-1000 $((irqs * 1000 / (nr + 1)))
    echo "$1, all: $((nr / seconds)) packets/s, $us us, $irqs interrupts"
}

# --- the rounds -------------------------------------------------------------

start
for ((round = 0; round < rounds; round++)); do
    for way in $ways; do
        choose $way
        for beside in $besides; do quiet $way $beside; done
        all_at_once $way
    done
done

line "" $ways
line --- --- --- --- ---
figures=()
for what in {trip,read}-{p50,p99}; do
    for beside in $besides; do figures+=("$what-$beside"); done
done
for what in "${figures[@]}" packets us-per-packet interrupts-per-1000; do
    values=()
    for way in $ways; do values+=("$(of $way $what)"); done
    line $what "${values[@]}"
done
all_figures
