# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: LGPL-2.1-only
#
# Guests restored all at once, eagerly and lazily in turn: until each has answered
# and done its job (guest/work.c), until all memory is there, and what dom0 used
# the processor for. Measured, not judged.

. /rig/lib/rig.sh
. /rig/lib/lazy.sh
. /rig/lib/measure.sh
set -u

guests=${bench_guests:-4} mib=${bench_mib:-256} rounds=${bench_rounds:-3}
# Each of the 2048 pages, and a third of a second of looking at them again.
looks=1000000
dir=/tmp/bench

each() { seq 1 "$guests"; }

# --- the guests ---------------------------------------------------------------

# One is booted; the others are copies of it with names of their own, as xl takes
# the configuration before the file.
make_guests() {
    local n
    mkdir -p $dir
    mount -t tmpfs -o size=$((guests * (mib + 16) + 64))m bench $dir
    rig_guest_start storm1 pvh memory="$mib" &&
        rig_guest_run storm1 "mkfifo /run/go /run/said
            setsid work $((mib * 3 / 8)) $looks <>/run/go 1<>/run/said &" &&
        rig_guest_run -t 120 storm1 'until [ "$said" = ready ]; do
            read -r said </run/said
        done' && do_job storm1 &&
        rig_time 'xl save' "$rig_xl" save storm1 $dir/1 2>/dev/null ||
        rig_fail 'no saved guest'
    for n in $(each); do
        [ "$n" = 1 ] || cp $dir/1 "$dir/$n"
        rig_guest_config "storm$n" pvh memory="$mib" >"$dir/$n.cfg"
    done
}

# do_job GUEST : answers, and does its job.
do_job() {
    rig_guest_run -t 120 "$1" 'echo >/run/go
        read -r said </run/said
        [ "$said" = "wrong 0" ]'
}

# --- one storm ----------------------------------------------------------------

restore_eager() { "$rig_xl" restore "$dir/$1.cfg" "$dir/$1"; }
restore_lazy() { xl restore --lazy=require "$dir/$1.cfg" "$dir/$1"; }

# one WAY N : restores a guest and has it work. Leaves three moments in a file.
one() {
    local restored worked
    measure_enter
    "restore_$1" "$2" >"$dir/$2.log" 2>&1 || return
    measure_leave
    restored=$(now)
    do_job "storm$2" || return
    worked=$(now)
    [ "$1" = eager ] || xl-ext lazy-wait -q "storm$2" || return
    echo "$restored $worked $(now)" >"$dir/$2.moments"
}

storm() {
    local way=$1 n jobs=() cpu xen started
    cpu=$(measure_cpu_us) xen=$(measure_xen_us)
    started=$(now)
    for n in $(each); do
        one "$way" "$n" &
        jobs+=($!)
    done
    for n in "${jobs[@]}"; do
        wait "$n" || { cat $dir/*.log; rig_fail "$way: no guest that works"; }
    done
    note "$way" cpu $(($(measure_cpu_us) - cpu))
    note "$way" xen $(($(measure_xen_us) - xen))
    look_at_moments "$way" "$started"
    for n in $(each); do look_at_guest "$way" "storm$n"; done
}

# Of the round: when the last guest was restored, when the first, the middle and
# the last one had worked, when the last was complete.
look_at_moments() {
    local way=$1 started=$2 restored worked there all=()
    local last_restored=0 last_there=0
    while read -r restored worked there; do
        all+=($((worked - started)))
        [ "$way" = lazy ] || there=$restored
        ((restored <= last_restored)) || last_restored=$restored
        ((there <= last_there)) || last_there=$there
    done < <(cat $dir/*.moments)
    mapfile -t all < <(printf '%s\n' "${all[@]}" | sort -n)
    note "$way" restored $((last_restored - started))
    note "$way" first "${all[0]}"
    note "$way" middle "$(median "${all[@]}")"
    note "$way" worked "${all[-1]}"
    note "$way" there $((last_there - started))
}

look_at_guest() {
    local domid name
    domid=$(rig_domid "$2")
    note "$1" large $(($(/rig/tools/count-2m "$domid") * 100 / (mib * 256)))
    if [ "$1" = lazy ]; then
        for name in faults index_us mark_us fill_us; do
            note lazy $name "$(lazy_field "$domid" $name)"
        done
    fi
    rig_guest_stop "$domid"
}

# --- the table ----------------------------------------------------------------

# row LABEL NAME : of both ways, in ms, and how they compare.
row() {
    local eager lazy
    eager=$(of eager "$2") lazy=$(of lazy "$2")
    line "$1" "$(ms "$eager")" "$(ms "$lazy")" "$(ratio "$lazy" "$eager")"
}

table() {
    echo
    line "$guests guests of $mib MiB at once, ms" eager lazy lazy/eager
    echo '|---|---|---|---|'
    row 'until the first guest has finished its work' first
    row 'until the median guest has' middle
    row 'until all have' worked
    row 'until xl has restored all' restored
    row 'until all memory is present' there
    row 'processor time of dom0 until then' xen
    row "the restores' processes, as dom0's kernel counts them" cpu
    line 'faults of a guest' - "$(of lazy faults)" -
    line 'its headers read' - "$(ms "$(of lazy index_us)")" -
    line 'its pages marked' - "$(ms "$(of lazy mark_us)")" -
    line 'its fill' - "$(ms "$(of lazy fill_us)")" -
    line 'memory in 2 MiB pages, %' "$(of eager large)" "$(of lazy large)" -
    echo
    all_figures
}

leave() {
    local n
    measure_no_load
    for n in $(each); do rig_guest_stop "storm$n"; done 2>/dev/null
    umount $dir
    rmdir "$measure_group" 2>/dev/null
}

trap leave EXIT
mkdir "$measure_group"
make_guests
measure_load
for ((round = 1; round <= rounds; round++)); do
    for way in eager lazy; do
        rig__read_waited before
        storm $way
        rig__read_waited after
        echo "round $round, $way: all have worked after" \
            "$(ms "${got[$way,worked]##* }") ms; the machine's host was busy" \
            "with other work for $((after - before)) ms"
    done
done
table
