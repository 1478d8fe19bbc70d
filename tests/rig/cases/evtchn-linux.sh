# SPDX-License-Identifier: LGPL-2.1-only
#
# A Linux guest whose interrupt logic is the distribution's: a module of
# tests/guests/linux gives a channel a vector from the kernel's own domain of
# vectors and a handler by request_irq(). Statistics, affinity and release are
# the kernel's.

set -eu
. /rig/lib/rig.sh

params=/sys/module/evtchn_vector/parameters

# in_guest COMMAND... : has to succeed.
in_guest() { rig_guest_run g "$@" || rig_fail "in the guest: $*"; }

# on_cpu N : how many of the interrupts CPU N had.
on_cpu() {
    rig_guest_run g 'grep evtchn-vector /proc/interrupts' |
        awk -v n="$(($1 + 2))" '{ print $n }'
}

# bound : "VCPU VECTOR" of the module's channel.
bound() { xl evtchn-list g | awk -v p="$port" '$1 == p { print $4, $5 }'; }

rig_guest_start g pvh vcpus=2
in_guest modprobe evtchn-vector
port=$(in_guest cat $params/port)
irq=$(in_guest cat $params/irq)
in_guest grep evtchn-vector /proc/interrupts
[[ $(bound) =~ ^[01]\ 0x[2-9a-e][0-9a-f]$ ]] || rig_fail "bound: $(bound)"

in_guest "echo 1 >/proc/irq/$irq/smp_affinity; echo 500 >$params/send"
[ "$(in_guest cat $params/handled)" = 500 ] || rig_fail "lost some"
[[ $(bound) == "0 0x"* ]] || rig_fail "not on CPU 0: $(bound)"
[ "$(on_cpu 0)" -ge 500 ] || rig_fail "CPU 0 had $(on_cpu 0)"

before=$(on_cpu 0)
in_guest "echo 2 >/proc/irq/$irq/smp_affinity; echo 500 >$params/send"
[ "$(in_guest cat $params/handled)" = 1000 ] || rig_fail "lost some"
[[ $(bound) == "1 0x"* ]] || rig_fail "not on CPU 1: $(bound)"
[ "$(on_cpu 1)" -ge 500 ] || rig_fail "CPU 1 had $(on_cpu 1)"
[ "$(on_cpu 0)" -le $((before + 1)) ] || rig_fail "CPU 0 had more"

# Moved while events come.
in_guest "for i in 1 2 3 4 5 6 7 8 9 10; do
    echo \$((i % 2 + 1)) >/proc/irq/$irq/smp_affinity
    echo 50 >$params/send || exit 1
done"
[ "$(in_guest cat $params/handled)" = 1500 ] || rig_fail "lost some"
rig_guest_run g 'grep evtchn-vector /proc/interrupts'
rig_guest_run g dmesg | grep -i 'no irq handler' && rig_fail "a stray vector"

# The toolstack leaves it alone.
said=$(xl evtchn-unbind g "$port" 2>&1) && rig_fail "$said"
[[ $said == *"the guest bound it to vector 0x"*" itself"* ]] ||
    rig_fail "says $said"

in_guest rmmod evtchn-vector
[ -z "$(bound)" ] || rig_fail "the channel is still there: $(bound)"
in_guest modprobe evtchn-vector
in_guest "echo 100 >$params/send"
[ "$(in_guest cat $params/handled)" = 100 ] || rig_fail "the second time"
