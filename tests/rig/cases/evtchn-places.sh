# SPDX-License-Identifier: LGPL-2.1-only
#
# vCPU requests: the toolstack chooses on which vCPU the module xen-vec has a
# channel of an unchanged Linux guest, and which channels have a vector.

set -eu
. /rig/lib/rig.sh

params=/sys/module/xen_vec/parameters
node=/local/domain

# in_guest COMMAND... : has to succeed.
in_guest() { rig_guest_run g "$@" || rig_fail "in the guest: $*"; }

# place PORT : "VCPU VECTOR", as Xen says.
place() { xl evtchn-list g | awk -v p="$1" '$1 == p { print $4, $5 }'; }

# port_of DEVICE : of its channel, by its name in evtchn-list.
port_of() {
    xl evtchn-list g | sed -n "s|^ *\([0-9]*\) .* $1\$|\1|p"
}

# on_cpu PORT : where the guest has its interrupt.
on_cpu() {
    in_guest "irq=\$(sed -n 's/.* port $1 irq \([0-9]*\) .*/\1/p' $params/bound)
        cat /proc/irq/\$irq/effective_affinity_list"
}

places() { xenstore-read "$node/$(rig_domid g)/data/evtchn-places" 2>/dev/null; }
places_are() { [ "$(places)" = "$1" ]; }

# refused SAYS COMMAND... : with that reason.
refused() {
    local said
    said=$("${@:2}" 2>&1) && rig_fail "not refused: ${*:2}: $said"
    [[ $said == *"$1"* ]] || rig_fail "${*:2}: says $said"
}

on_upcall() { [[ $(place "$disk") == *" -" ]]; }

# moved PORT VCPU : by evtchn-bind; guest and Xen agree.
moved() {
    local said
    said=$(xl evtchn-bind g "$1" "$2")
    [[ $said == *"port $1: vCPU $2, vector 0x"* ]] || rig_fail "bind: $said"
    [[ $(place "$1") == "$2 0x"* ]] || rig_fail "$1 is at $(place "$1"), not $2"
    [ "$(on_cpu "$1")" = "$2" ] || rig_fail "the guest has $1 on $(on_cpu "$1")"
}

modprobe -a xen-netback xen-blkback loop bridge
ip link add xenbr0 type bridge
ip addr add 10.9.0.1/24 dev xenbr0
ip link set xenbr0 up
truncate -s 8M "$RIG_TMP/disk"
loop=$(losetup -f --show "$RIG_TMP/disk")
end() {
    ip link del xenbr0
    losetup -d "$loop" || :
}
trap end EXIT

rig_guest_start g pvh vcpus=2 "vif = [ 'bridge=xenbr0' ]" \
    "disk = [ 'format=raw,vdev=xvda,backendtype=phy,target=$loop' ]"
in_guest ifconfig eth0 10.9.0.2 up
refused "offers no vectors" xl evtchn-spread g --sample=0
in_guest modprobe xen-vec
rig_wait_for 20 places_are "0 1" || rig_fail "it names: $(places)"
disk=$(port_of "vbd/51712")
[ -n "$disk" ] || rig_fail "no disk: $(xl evtchn-list g)"
xl evtchn-list g

# A quiet channel too is moved again and again.
for vcpu in 1 0 1 1 0 1; do moved "$disk" $vcpu; done
[ "$(xenstore-read "$node/$(rig_domid g)/libxl-ext/places/$disk")" = \
    "1 vbd/51712" ] || rig_fail "the node"

# The administrator of the guest has the last word. Linux moves an interrupt when it
# comes: the disk is read, and not the cache.
in_guest "irq=\$(sed -n 's/.* port $disk irq \([0-9]*\) .*/\1/p' $params/bound)
    echo 1 >/proc/irq/\$irq/smp_affinity"
on_vcpu_0() {
    in_guest 'echo 1 >/proc/sys/vm/drop_caches; dd if=/dev/xvda of=/dev/null count=8'
    [[ $(place "$disk") == "0 0x"* ]]
}
rig_wait_for 20 on_vcpu_0 || rig_fail "by /proc/irq: $(place "$disk")"

# The upcall, although the module's own choice names the disk.
xl evtchn-unbind g "$disk"
on_upcall || rig_fail "unbound: $(place "$disk")"
! rig_guest_run g "grep -q xvda $params/bound" || rig_fail "the module has it"
in_guest dd if=/dev/xvda of=/dev/null count=8
moved "$disk" 1

refused "leave the vector out" xl evtchn-bind g "$disk" 0 0x51
refused "only for channels of its devices" xl evtchn-bind g 1 0

# By rates: the disk is read, and the network is idle.
in_guest 'while :; do
        dd if=/dev/xvda of=/dev/null bs=4k count=64
        echo 1 >/proc/sys/vm/drop_caches
    done </dev/null >/dev/null 2>&1 &'
xl evtchn-spread g --hot=1 --sample=3000 | tee "$RIG_TMP/said"
grep -q "1 with vectors" "$RIG_TMP/said" || rig_fail "spread"
[[ $(place "$disk") == *" 0x"* ]] || rig_fail "the busy one: $(place "$disk")"
[ "$(xl evtchn-list g | grep -c " 0x[0-9a-f]* .* v[bi][fd]/")" = 1 ] ||
    rig_fail "idle ones: $(xl evtchn-list g)"

# A CPU that is offline is none to place anything on.
in_guest 'echo 0 >/sys/devices/system/cpu/cpu1/online'
rig_wait_for 20 places_are 0 || rig_fail "offline: $(places)"
refused "has no channels on vCPU 1" xl evtchn-bind g "$disk" 1
in_guest 'echo 1 >/sys/devices/system/cpu/cpu1/online'
rig_wait_for 20 places_are "0 1" || rig_fail "online again: $(places)"
moved "$disk" 0
moved "$disk" 1

# The policy is a new start.
xl evtchn-policy g --vectors=vif
rig_wait_for 20 on_upcall ||
    rig_fail "policy: $(xl evtchn-list g)"
xl evtchn-policy g --remove

in_guest rmmod xen-vec
[ -z "$(places)" ] || rig_fail "unloaded: $(places)"
refused "offers no vectors" xl evtchn-spread g --sample=0
in_guest 'dmesg | grep -E "WARNING: CPU|BUG:|o irq handler|nobody cared" && exit 1
    exit 0'
rig_guest_stop g
