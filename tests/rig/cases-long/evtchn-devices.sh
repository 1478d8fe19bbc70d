# SPDX-License-Identifier: LGPL-2.1-only
#
# An unchanged Linux guest with the module xen-vec: the channels of its network
# interfaces and disks have vectors of their own, with both ABIs. Data goes both
# ways through all of them and is right while vectors are moved, taken away and
# given back, CPUs go, devices come, the module is loaded and unloaded, and the
# guest is saved and restored (FIFO only). None of them stalls, and the kernel
# warns of nothing.

set -eu
. /rig/lib/rig.sh

params=/sys/module/xen_vec/parameters
workers="net0 net1 xvda xvdb"
names="vif0-q0-rx vif0-q0-tx vif0-q1-rx vif0-q1-tx"
names+=" vif1-q0-rx vif1-q0-tx vif1-q1-rx vif1-q1-tx xvda-q0 xvdb-q0"

# in_guest COMMAND... : has to succeed.
in_guest() { rig_guest_run g "$@" || rig_fail "in the guest: $*"; }

# --- dom0's side: two bridges, an echo, three disks -------------------------

network_up() {
    local n
    modprobe -a xen-netback bridge
    # As many queues as the guest has vCPUs, not as dom0 has.
    echo 2 >/sys/module/xen_netback/parameters/max_queues
    for n in 0 1; do
        ip link add xenbr$n type bridge
        ip addr add 10.9.$n.1/24 dev xenbr$n
        ip link set xenbr$n up
    done
    busybox nc -ll -p 7000 -e cat & echo=$!
}

disks_up() {
    local n
    modprobe -a xen-blkback loop
    for n in a b c; do truncate -s 1M "$RIG_TMP/$n"; done
    loop=$(losetup -f --show "$RIG_TMP/b")
}

all_down() {
    kill "$echo" || :
    ip link del xenbr0
    ip link del xenbr1
    losetup -d "$loop" || : # the guest may have it still
}

# --- the guest's side -------------------------------------------------------

# start_guest OPTION... : with more of the kernel's options.
start_guest() {
    rig_guest_config g pvh vcpus=2 \
        "vif = [ 'bridge=xenbr0', 'bridge=xenbr1' ]" \
        "disk = [ 'format=raw,vdev=xvda,backendtype=qdisk,target=$RIG_TMP/a',
                  'format=raw,vdev=xvdb,backendtype=phy,target=$loop' ]" |
        sed "s/ quiet/& $*/" >"$RIG_TMP/g.cfg"
    "$rig_xl" create -q "$RIG_TMP/g.cfg"
    rig_guest_wait g 120
    in_guest "ifconfig eth0 10.9.0.2 up; ifconfig eth1 10.9.1.2 up
        dmesg -c | grep 'Using .* ABI'"
}

# What each worker does again and again; a round that went wrong is told, and
# one that went right is counted. The watchdog looks every second which of them
# have done nothing for how long.
start_workers() {
    in_guest "cat >/run/work.sh" '<<"EOF"
        net() {
            head -c 100000 /dev/urandom >/mem/$1
            nc 10.9.${1#net}.1 7000 </mem/$1 >/mem/$1.back
            cmp /mem/$1 /mem/$1.back
        }
        disk() {
            head -c 262144 /dev/urandom >/mem/$1
            cat /mem/$1 >/dev/$1
            sync /dev/$1
            echo 1 >/proc/sys/vm/drop_caches
            head -c 262144 /dev/$1 | cmp /mem/$1 -
        }
        work() {
            round=0
            while :; do
                $2 $1 >/run/said-$1 2>&1 ||
                    echo "$1, round $round: $(cat /run/said-$1)" >>/run/wrong
                round=$((round + 1))
                echo $round >/run/rounds-$1.new
                mv /run/rounds-$1.new /run/rounds-$1
                sleep 0.2
            done
        }
        watch() {
            longest=0
            for w; do eval "idle_$w=0 last_$w=-"; done
            while sleep 1; do
                for w; do
                    now=$(cat /run/rounds-$w)
                    eval "[ $now = \$last_$w ] || idle_$w=-1
                        last_$w=$now idle_$w=\$((idle_$w + 1)) idle=\$idle_$w"
                    [ $idle -le $longest ] || longest=$idle
                    [ $idle -lt 60 ] || echo $w >>/run/stalled
                done
                echo $longest >/run/longest
            done
        }
EOF'
    in_guest ". /run/work.sh; rm -f /run/wrong /run/stalled
        for n in 0 1; do
            echo 0 >/run/rounds-net\$n; work net\$n net </dev/null &
        done
        for d in xvda xvdb; do
            echo 0 >/run/rounds-\$d; work \$d disk </dev/null &
        done
        watch $workers </dev/null >/dev/null 2>&1 &"
}

# --- what has to be true ----------------------------------------------------

rounds_of_all() {
    rig_guest_run g "cd /run; cat rounds-net0 rounds-net1 rounds-xvda rounds-xvdb"
}

# more_than N N N N : each worker has done two rounds more than that.
more_than() {
    local now old=("$@") n
    mapfile -t now < <(rounds_of_all)
    for n in 0 1 2 3; do
        [ "${now[n]:-0}" -gt $((old[n] + 1)) ] || return 1
    done
}

# goes_on WHAT : after WHAT, each worker does two rounds more, so one whole one.
goes_on() {
    local before bad
    mapfile -t before < <(rounds_of_all)
    rig_wait_for 120 more_than "${before[@]}" || rig_fail "$1: stalls:" \
        "${before[*]} rounds, then" "$(rounds_of_all | tr '\n' ' ')" \
        "$(in_guest cat $params/bound)" "$(xl evtchn-list g)"
    bad=$(rig_guest_run g 'cat /run/wrong /run/stalled 2>/dev/null
        dmesg | grep -E "WARNING: CPU|BUG:|o irq handler|nobody cared|blocked for"
        true')
    [ -z "$bad" ] || rig_fail "$1: $bad"
    echo "$1: goes on after ${before[*]} rounds"
}

# with_vectors : the names of the channels that have one, as the module says.
with_vectors() {
    rig_guest_run g "sed -n 's/ port .* cpu [0-9].*//p' $params/bound" | sort
}

all_have() { [ "$(with_vectors | xargs)" = "$names" ]; }
none_has() { [ -z "$(with_vectors)" ]; }
# As Xen says: of the frontends' channels.
xen_bound() { xl evtchn-list g | grep -cE ' (0x[0-9a-f]{2}) .*(vif|vbd)/'; }

# counts : the lines of /proc/interrupts, "NAME COUNT".
counts() {
    rig_guest_run g 'grep "xen-vec vif\|xen-vec xvd" /proc/interrupts' |
        awk '{ print $NF, $2 + $3 }' | sort
}

# all_count : from now on each of the channels interrupts by its own line.
all_count() {
    local before n=0 name count name_now now
    before=$(counts)
    goes_on "$1"
    while read -r name count name_now now; do
        [ "$name" = "$name_now" ] || rig_fail "$1: $name is $name_now"
        case $name in
        xvd*) [ "$now" -gt "$count" ] || rig_fail "$1: $name had none" ;;
        esac
        n=$((n + now - count))
    done < <(paste -d ' ' <(echo "$before") <(counts))
    echo "$1: $n interrupts"
    [ "$n" -gt 20 ] || rig_fail "$1: $(counts)"
}

# --- what is done meanwhile -------------------------------------------------

# Each vector to each CPU, again and again, while events come.
move_about() {
    in_guest 'lines=$(sed -n "s/^ *\([0-9]*\):.* xen-vec .*/\1/p" /proc/interrupts)
        for round in 1 2 3 4 5 6 7 8 9 10; do
            for irq in $lines; do
                echo $((round % 2 + 1)) >/proc/irq/$irq/smp_affinity || exit 1
            done
        done'
    goes_on "moved"
    in_guest 'for irq in $(sed -n "s/^ *\([0-9]*\):.* xen-vec .*/\1/p" \
        /proc/interrupts); do echo 3 >/proc/irq/$irq/smp_affinity; done'
}

take_and_give() {
    in_guest "echo vif/1,xvda >$params/channels"
    [ "$(with_vectors | xargs)" = \
        "vif1-q0-rx vif1-q0-tx vif1-q1-rx vif1-q1-tx xvda-q0" ] ||
        rig_fail "chosen: $(with_vectors)"
    [ "$(xen_bound)" = 5 ] || rig_fail "chosen: $(xl evtchn-list g)"
    goes_on "some chosen"
    in_guest "echo >$params/channels"
    none_has || rig_fail "none chosen: $(with_vectors)"
    in_guest "for i in 1 2 3 4 5 6 7 8 9 10; do
        echo vif,vbd >$params/channels; echo >$params/channels; done
        echo vif,vbd >$params/channels"
    all_have || rig_fail "given back: $(with_vectors)"
    goes_on "given back"
}

# The toolstack's choice has precedence, and the watcher tells it to a guest that
# was restored.
by_policy() {
    chosen_is() { [ "$(with_vectors | xargs)" = "$1" ]; }
    xl evtchn-policy g --vectors=blk
    rig_wait_for 20 chosen_is "xvda-q0 xvdb-q0" ||
        rig_fail "policy blk: $(with_vectors)"
    [ "$(in_guest cat $params/policy)" = vbd ] ||
        rig_fail "policy: $(in_guest cat $params/policy)"
    goes_on "policy blk"
    xl evtchn-policy g --vectors=
    rig_wait_for 20 none_has || rig_fail "policy none: $(with_vectors)"
    xl evtchn-policy g --remove
    rig_wait_for 20 all_have || rig_fail "no policy: $(with_vectors)"
    goes_on "no policy"
}

policy_lasts() {
    xl evtchn-policy g --vectors=vif/1
    xl usb-reconcile --watch >"$RIG_TMP/watcher" 2>&1 & watcher=$!
    save_only
    rig_wait_for 90 chosen_is \
        "vif1-q0-rx vif1-q0-tx vif1-q1-rx vif1-q1-tx" ||
        rig_fail "policy, restored: $(with_vectors) $(cat "$RIG_TMP/watcher")"
    kill $watcher
    xl evtchn-policy g --remove
}

forbid_and_allow() {
    xl evtchn-allow g off
    [ "$(xen_bound)" = 0 ] || rig_fail "forbidden: $(xl evtchn-list g)"
    rig_wait_for 60 none_has || rig_fail "forbidden: $(with_vectors)"
    goes_on "forbidden"
    xl evtchn-allow g on
    rig_wait_for 60 all_have || rig_fail "allowed: $(with_vectors)"
    goes_on "allowed"
}

# The core's interrupt of a channel with a vector cannot be moved.
core_is_held() {
    in_guest 'irq=$(sed -n "s/^ *\([0-9]*\):.*xen-dyn.* vif0-q0-rx$/\1/p" \
        /proc/interrupts)
        ! echo 1 2>/dev/null >/proc/irq/$irq/smp_affinity'
}

cpu_goes_and_comes() {
    in_guest 'echo 0 >/sys/devices/system/cpu/cpu1/online'
    goes_on "one CPU"
    rig_wait_for 20 all_have || rig_fail "one CPU: $(with_vectors)"
    in_guest 'echo 1 >/sys/devices/system/cpu/cpu1/online'
    [ "$(xen_bound)" = 10 ] || rig_fail "one CPU: $(xl evtchn-list g)"
    goes_on "two CPUs"
}

disk_comes_and_goes() {
    has_c() { with_vectors | grep -q xvdc; }
    "$rig_xl" block-attach g "format=raw,vdev=xvdc,backendtype=qdisk,target=$RIG_TMP/c"
    rig_wait_for 60 has_c || rig_fail "attached: $(with_vectors)"
    in_guest 'pattern write /mem/c 1 1; cat /mem/c >/dev/xvdc; sync
        echo 1 >/proc/sys/vm/drop_caches; pattern check /dev/xvdc 1'
    "$rig_xl" block-detach g xvdc
    has_no_c() { ! has_c; }
    rig_wait_for 60 has_no_c || rig_fail "detached: $(with_vectors)"
}

unload_and_load() {
    in_guest rmmod xen-vec
    [ "$(xen_bound)" = 0 ] || rig_fail "unloaded: $(xl evtchn-list g)"
    goes_on "unloaded"
    in_guest 'for i in 1 2 3 4 5; do modprobe xen-vec && rmmod xen-vec; done
        modprobe xen-vec'
    all_have || rig_fail "loaded again: $(with_vectors)"
    goes_on "loaded again"
}

save_only() {
    "$rig_xl" save g "$RIG_TMP/save" 2>/dev/null || rig_fail "save"
    "$rig_xl" restore "$RIG_TMP/save" 2>/dev/null || rig_fail "restore"
    rm "$RIG_TMP/save"
    rig_guest_wait g
}

save_and_restore() {
    policy_lasts
    save_only
    rig_wait_for 90 all_have || rig_fail "restored: $(with_vectors)"
    [ "$(xen_bound)" = 10 ] || rig_fail "restored: $(xl evtchn-list g)"
}

# all_of_it [saved] : with its save, too.
all_of_it() {
    start_workers
    goes_on "without the module"
    in_guest modprobe xen-vec
    all_have || rig_fail "loaded: $(with_vectors)"
    [ "$(xen_bound)" = 10 ] || rig_fail "loaded: $(xl evtchn-list g)"
    xl evtchn-list g | grep -E 'vif|vbd'
    in_guest 'grep xen-vec /proc/interrupts'
    all_count "loaded"
    core_is_held
    move_about
    take_and_give
    by_policy
    forbid_and_allow
    cpu_goes_and_comes
    disk_comes_and_goes
    unload_and_load
    [ "${1:-}" != saved ] || save_and_restore
    all_count "at the end"
    in_guest "cat $params/bound
        echo longest pause: \$(cat /run/longest) s"
    rig_guest_stop g
}

network_up
disks_up
trap all_down EXIT
start_guest | grep FIFO || rig_fail "not FIFO"
all_of_it saved
# Not saved: restored with this ABI, Linux 6.1 panics, also without the module and
# on a stock Xen: the IPI of its spinlocks, which is never to be delivered, comes
# as an upcall.
start_guest xen.fifo_events=0 | grep 2-level || rig_fail "not 2-level"
all_of_it
