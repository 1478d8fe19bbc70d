# SPDX-License-Identifier: LGPL-2.1-only
# shellcheck shell=bash disable=SC2086,SC2046 # lists of words
#
# An unchanged Linux guest with the module xen-vec, eight network interfaces, four
# disks (two of blkback, two of QEMU) and four vCPUs: its channels have vectors of
# their own. Data goes both ways through all of them and is right while vectors
# are moved, spread, taken away and given back, CPUs go, devices come, the module
# is loaded and unloaded, and the guest is saved and restored (FIFO only). None of
# them stalls, and the kernel warns of nothing. The cases are one for each ABI.

. /rig/lib/rig.sh

params=/sys/module/xen_vec/parameters
nets=8 vcpus=4
disks="xvda xvdb xvdc xvdd" # the first two are QEMU's
net_list=$(seq -s ' ' 0 $((nets - 1)))
workers="$(printf 'net%d ' $net_list)$disks"
# vif_names N... : of their channels, in order.
vif_names() {
    local n
    for n; do printf "vif$n-%s\n" q0-rx q0-tx q1-rx q1-tx; done
}
disk_names() { printf '%s-q0\n' "$@"; }
names=$({ vif_names $net_list; disk_names $disks; } | sort | xargs)
nr_names=$((nets * 4 + 4))

# in_guest COMMAND... : has to succeed.
in_guest() { rig_guest_run -t 300 g "$@" || rig_fail "in the guest: $*"; }

# --- dom0's side: bridges, an echo, disks -----------------------------------

network_up() {
    local n
    modprobe -a xen-netback bridge
    # More than dom0 has vCPUs.
    echo 2 >/sys/module/xen_netback/parameters/max_queues
    for n in $net_list; do
        ip link add xenbr$n type bridge
        ip addr add 10.9.$n.1/24 dev xenbr$n
        ip link set xenbr$n up
    done
    busybox nc -ll -p 7000 -e cat & echo=$!
}

disks_up() {
    local n
    modprobe -a xen-blkback loop
    for n in a b c d e; do truncate -s 1M "$RIG_TMP/$n"; done
    loops=$(for n in c d; do losetup -f --show "$RIG_TMP/$n"; done)
}

all_down() {
    rig_guest_stop g 2>/dev/null || : # left by a case that failed
    kill "$echo" $(cat "/proc/$echo/task/$echo/children") || :
    for n in $net_list; do ip link del "xenbr$n"; done
    losetup -d $loops || : # the guest may have them still
}

# --- the guest's side -------------------------------------------------------

# start_guest OPTION... : with more of the kernel's options.
start_guest() {
    local disk="" vif n loop
    vif=$(printf "'bridge=xenbr%d', " $net_list)
    for n in a b; do
        disk+="'format=raw,vdev=xvd$n,backendtype=qdisk,target=$RIG_TMP/$n',"
    done
    n=c
    for loop in $loops; do
        disk+="'format=raw,vdev=xvd$n,backendtype=phy,target=$loop',"
        n=d
    done
    rig_guest_config g pvh vcpus=$vcpus "vif = [ ${vif%, } ]" \
        "disk = [ ${disk%,} ]" |
        sed "s/ quiet/& $*/" >"$RIG_TMP/g.cfg"
    "$rig_xl" create -q "$RIG_TMP/g.cfg"
    rig_guest_wait g 120
    in_guest "for n in $net_list; do ifconfig eth\$n 10.9.\$n.2 \
        netmask 255.255.255.0 up; done
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
        for n in $net_list; do
            echo 0 >/run/rounds-net\$n; work net\$n net </dev/null &
        done
        for d in $disks; do
            echo 0 >/run/rounds-\$d; work \$d disk </dev/null &
        done
        watch $workers </dev/null >/dev/null 2>&1 &"
}

# --- what has to be true ----------------------------------------------------

rounds_of_all() {
    rig_guest_run g "cd /run; cat $(printf 'rounds-%s ' $workers)"
}

# more_than N N N N : each worker has done two rounds more than that.
more_than() {
    local now old=("$@") n
    mapfile -t now < <(rounds_of_all)
    [ ${#old[@]} -gt 0 ] || return 1
    for n in "${!old[@]}"; do
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
        awk -v n=$vcpus '{ sum = 0
            for (i = 2; i < n + 2; i++) sum += $i
            print $NF, sum }' | sort
}

# devices_of COUNTS LATER-COUNTS : "DEVICE COUNT", as many as came meanwhile. Which
# queue of an interface a connection uses is the guest's choice.
devices_of() {
    join <(echo "$1") <(echo "$2") |
        awk '{ sub(/-.*/, "", $1); came[$1] += $3 - $2 }
            END { for (d in came) print d, came[d] }' | sort
}

# all_count : from now on each of the devices interrupts by its own lines.
all_count() {
    local before came
    before=$(counts)
    goes_on "$1"
    came=$(devices_of "$before" "$(counts)")
    echo "$1: interrupts:" $came
    [ "$(wc -l <<<"$came")" = $((nets + 4)) ] || rig_fail "$1: devices"
    ! grep ' 0$' <<<"$came" || rig_fail "$1: $(counts)"
}

# --- what is done meanwhile -------------------------------------------------

# Each vector to each CPU, again and again, while events come.
move_about() {
    in_guest 'lines=$(sed -n "s/^ *\([0-9]*\):.* xen-vec .*/\1/p" /proc/interrupts)
        for round in 0 1 2 3 4 5 6 7 8 9; do
            for irq in $lines; do
                echo $((1 << round % 4)) >/proc/irq/$irq/smp_affinity || exit 1
            done
        done'
    goes_on "moved"
    in_guest 'for irq in $(sed -n "s/^ *\([0-9]*\):.* xen-vec .*/\1/p" \
        /proc/interrupts); do echo f >/proc/irq/$irq/smp_affinity; done'
}

take_and_give() {
    in_guest "echo vif/1,xvda >$params/channels"
    [ "$(with_vectors)" = "$(vif_names 1; disk_names xvda)" ] ||
        rig_fail "chosen: $(with_vectors)"
    [ "$(xen_bound)" = 5 ] || rig_fail "chosen: $(xl evtchn-list g)"
    goes_on "some chosen"
    in_guest "echo >$params/channels"
    none_has || rig_fail "none chosen: $(with_vectors)"
    rig_time "ten times" in_guest "for i in 1 2 3 4 5 6 7 8 9 10; do
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
    rig_wait_for 20 chosen_is "$(disk_names $disks | xargs)" ||
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
    rig_wait_for 90 chosen_is "$(vif_names 1 | xargs)" ||
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

# By rates, and back: what it takes from idle channels they get again.
spread() {
    local said
    said=$(xl evtchn-spread g --hot=8 --sample=2000) || rig_fail "spread"
    echo "$said" | tail -n 1
    [ "$(xen_bound)" = 8 ] || rig_fail "spread: $(xl evtchn-list g)"
    goes_on "spread"
    xl evtchn-policy g --vectors=vif,vbd
    rig_wait_for 20 all_have || rig_fail "after spread: $(with_vectors)"
    xl evtchn-policy g --remove
}

cpu_goes_and_comes() {
    in_guest 'for cpu in 1 2 3; do
        echo 0 >/sys/devices/system/cpu/cpu$cpu/online; done'
    goes_on "one CPU"
    rig_wait_for 20 all_have || rig_fail "one CPU: $(with_vectors)"
    in_guest 'for cpu in 1 2 3; do
        echo 1 >/sys/devices/system/cpu/cpu$cpu/online; done'
    [ "$(xen_bound)" = $nr_names ] || rig_fail "one CPU: $(xl evtchn-list g)"
    goes_on "all CPUs"
}

disk_comes_and_goes() {
    has_e() { with_vectors | grep -q xvde; }
    "$rig_xl" block-attach g "format=raw,vdev=xvde,backendtype=qdisk,target=$RIG_TMP/e"
    rig_wait_for 60 has_e || rig_fail "attached: $(with_vectors)"
    in_guest 'pattern write /mem/e 1 1; cat /mem/e >/dev/xvde; sync
        echo 1 >/proc/sys/vm/drop_caches; pattern check /dev/xvde 1'
    "$rig_xl" block-detach g xvde
    has_no_e() { ! has_e; }
    rig_wait_for 60 has_no_e || rig_fail "detached: $(with_vectors)"
}

# One more interface, which brings its channels and takes them away.
net_comes_and_goes() {
    has_8() { with_vectors | grep -q "vif$nets"; }
    "$rig_xl" network-attach g bridge=xenbr0
    rig_wait_for 60 has_8 || rig_fail "attached: $(with_vectors)"
    "$rig_xl" network-detach g $nets
    has_no_8() { ! has_8; }
    rig_wait_for 60 has_no_8 || rig_fail "detached: $(with_vectors)"
    goes_on "devices came and went"
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

# save_only [--lazy]
save_only() {
    "$rig_xl" save g "$RIG_TMP/save" 2>/dev/null || rig_fail "save"
    xl restore "$@" "$RIG_TMP/save" 2>/dev/null || rig_fail "restore $*"
    [ $# = 0 ] || xl lazy-wait g || rig_fail "lazy restore"
    rm "$RIG_TMP/save"
    rig_guest_wait g
}

save_and_restore() {
    policy_lasts
    save_only
    rig_wait_for 90 all_have || rig_fail "restored: $(with_vectors)"
    [ "$(xen_bound)" = $nr_names ] || rig_fail "restored: $(xl evtchn-list g)"
    all_count "restored"
    save_only --lazy
    rig_wait_for 90 all_have || rig_fail "restored lazily: $(with_vectors)"
}

# all_of_it [saved] : with its save, too.
all_of_it() {
    start_workers
    goes_on "without the module"
    in_guest modprobe xen-vec
    all_have || rig_fail "loaded: $(with_vectors)"
    [ "$(xen_bound)" = $nr_names ] || rig_fail "loaded: $(xl evtchn-list g)"
    xl evtchn-list g | grep -E 'vif|vbd'
    in_guest 'grep xen-vec /proc/interrupts'
    all_count "loaded"
    core_is_held
    move_about
    take_and_give
    by_policy
    spread
    forbid_and_allow
    cpu_goes_and_comes
    disk_comes_and_goes
    net_comes_and_goes
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
