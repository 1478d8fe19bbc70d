# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: LGPL-2.1-only
#
# Restores of one busy guest in every way, in turn, and a table of medians.
# `. ./lazy.bash` and `bench_lazy MIB ROUNDS`; docs/measured.md has the tables.

. /rig/lib/rig.sh
. /rig/lib/lazy.sh
. /rig/lib/measure.sh
set -u

bench_save=/tmp/bench/save
bench_rates=/tmp/bench/rates
# No restore begins later than that after the start: others wait for the rig.
bench_enough=1500

# --- the guest ----------------------------------------------------------------

bench_make_guest() {
    local mib=$1
    mkdir -p /tmp/bench
    mount -t tmpfs -o size=$((mib + 256))m bench /tmp/bench
    rig_guest_start g pvh memory="$mib" &&
        rig_guest_run g "setsid work $((mib * 3 / 8)) >/run/work 2>&1 &" &&
        rig_wait_for 120 rig_guest_run g 'grep -q ready /run/work' ||
        rig_fail 'no guest that works'
    gfn=$(rig_guest_run g "sed -n 's/^gfn //p' /run/work")
    next=$(($(rig_domid g) + 1))
    rig_time 'xl save' "$rig_xl" save g $bench_save 2>/dev/null ||
        rig_fail 'no saved guest'
}

# --- what it does -------------------------------------------------------------

rates_start() {
    /rig/tools/guest-rate "$next" "$gfn" >$bench_rates &
    rates=$!
}

rates_stop() {
    kill $rates 2>/dev/null
    wait $rates 2>/dev/null
    awk '$3 { exit 1 }' $bench_rates || rig_fail 'the guest sees wrong data'
}

# looks FROM TO : how often a second, between two moments.
looks() {
    awk -v from="$1" -v to="$2" '
        $1 >= from && $1 <= to { if (!n++) { t = $1; c = $2 } u = $1; d = $2 }
        END { if (u > t) printf "%d", (d - c) * 1e6 / (u - t) }' $bench_rates
}

# The first moment at which it had gone on.
went_on() {
    awk 'NR == 1 { c = $2 } $2 > c { print $1; exit }' $bench_rates
}

# --- one restore --------------------------------------------------------------

# begin WAY HELPER [OPTION...] : restored, and the guest has answered.
begin() {
    local way=$1 begun
    shift
    cpu_before=$(measure_cpu_us)
    rates_start
    started=$(now)
    measure_enter
    measure_restore "$1" $bench_save "${@:2}"
    measure_leave
    restored=$(now)
    domid=$(rig_domid g)
    next=$((domid + 1))
    note "$way" helper "$helper_us"
}

answered() {
    rig_guest_run g true || rig_fail "$1: no answer"
    note "$1" answer $(($(now) - started))
}

# complete WAY MOMENT : all is there; then what comes after it.
complete() {
    local way=$1 at=$2 on
    note "$way" cpu $(($(measure_cpu_us) - cpu_before))
    sleep 2.1
    on=$(now)
    rates_stop
    note "$way" after "$(looks $((on - 2000000)) "$on")"
    note "$way" on $(($(went_on) - started))
    note "$way" large $(($(/rig/tools/count-2m "$domid") * 100 / pages))
    [ "$way" = eager ] || from_status "$way"
    rig_guest_stop g
}

from_status() {
    local name
    [ "$(lazy_field "$domid" state)" = complete ] || rig_fail "$1: not complete"
    for name in faults fault_pages prefetch_pages mark_us index_us fill_us; do
        note "$1" "$name" "$(lazy_field "$domid" $name)"
    done
}

# The most memory that a process had, KiB, while another runs.
peak_while() {
    local name value
    peak=0
    while kill -0 "$2" 2>/dev/null; do
        while read -r name value _; do
            [ "$name" != VmHWM: ] || peak=$value
        done 2>/dev/null <"/proc/$1/status"
        sleep 0.05
    done 2>/dev/null
}

# filled WAY COMMAND... : until the command, which waits for the fill, returns.
filled() {
    local way=$1 pid
    shift
    pid=$(lazy_field "$domid" pid)
    "$@" &
    peak_while "$pid" $!
    wait $! || rig_fail "$way: the fill failed"
    [ $peak = 0 ] || note "$way" peak $peak
}

# calm : until the guest has not waited for a page for a while.
calm() {
    local before=-1 faults=0
    while [ "$faults" != $before ]; do
        before=$faults
        sleep 1.5
        faults=$(lazy_field "$domid" faults)
    done
    calm_faults=$faults
}

# --- the ways -----------------------------------------------------------------

bench_eager() {
    begin eager "$lazy_stock_helper"
    answered eager
    note eager whole $((restored - started))
    complete eager "$restored"
}

# Nothing is brought that was not asked for, until the guest is calm.
without_fill() {
    XL_EXT_LAZY_RECORD=600s begin "$1" $measure_ours
    answered "$1"
    calm
    note "$1" calm "$calm_faults"
    filled "$1" xl-ext lazy-finish -q g
    complete "$1" "$(now)"
}

bench_demand() {
    rm -f $bench_save.lzx
    without_fill demand
    cp $bench_save.lzx /tmp/bench/record || rig_fail 'nothing was recorded'
}

with_fill() {
    local at answering
    begin "$1" $measure_ours
    (answered "$1" && echo "${got[$1,answer]##* }" >/tmp/bench/answer) &
    answering=$!
    filled "$1" xl-ext lazy-wait -q g
    at=$(now)
    wait $answering || rig_fail "$1: no answer"
    note "$1" answer "$(</tmp/bench/answer)"
    note "$1" whole $((at - started))
    note "$1" during "$(looks "$restored" "$at")"
    complete "$1" "$at"
}

bench_fill() {
    rm -f $bench_save.lzx
    with_fill fill
}

bench_recorded() {
    cp /tmp/bench/record $bench_save.lzx
    with_fill recorded
}

# As demand, with what that has recorded.
bench_replay() {
    cp /tmp/bench/record $bench_save.lzx
    without_fill replay
}

# cost WAY HELPER [-p] : nothing runs in dom0 but the restore, so that all of dom0's
# time, as Xen counts it, is the restore's. The guest works; with -p it is paused, and
# there are no faults.
cost() {
    local way=$1 helper=$2 name=${3:+paused_} before user kernel
    before=$(measure_xen_us) user=$(measure_user_us) kernel=$(measure_kernel_us)
    measure_enter
    measure_restore "$helper" $bench_save ${3:+"$3"}
    measure_leave
    [ "$way" = eager ] || xl-ext lazy-wait -q g || rig_fail 'the fill failed'
    note "$way" "${name}xen" $(($(measure_xen_us) - before))
    note "$way" "${name}user" $(($(measure_user_us) - user))
    note "$way" "${name}kernel" $(($(measure_kernel_us) - kernel))
    domid=$(rig_domid g)
    [ "$way" = eager ] ||
        note "$way" "${name}faulted" "$(lazy_field "$domid" faults)"
    next=$((domid + 1))
    rig_guest_stop g
}

bench_cost_eager() { cost eager "$lazy_stock_helper"; }
bench_cost_fill() { rm -f $bench_save.lzx && cost fill $measure_ours "$@"; }
bench_cost_paused() { bench_cost_fill -p; }

# With all that `image-index` writes. It is made once, and before the time counts.
bench_cost_sidecar() {
    if [ ! -f /tmp/bench/index ]; then
        rm -f $bench_save.lzx
        rig_time 'image-index' xl-ext image-index $bench_save ||
            rig_fail 'no sidecar'
        mv $bench_save.lzx /tmp/bench/index
    fi
    cp /tmp/bench/index $bench_save.lzx
    cost sidecar $measure_ours "$@"
}
bench_cost_sidecar_paused() { bench_cost_sidecar -p; }

# The guest stays paused: nothing but the restore runs.
bench_paused() {
    rm -f $bench_save.lzx
    measure_restore $measure_ours $bench_save -p
    note paused helper "$helper_us"
    domid=$(rig_domid g)
    next=$((domid + 1))
    xl-ext lazy-wait -q g || rig_fail 'the fill failed'
    from_status paused
    rig_guest_stop g
}

# --- the table ----------------------------------------------------------------

# row LABEL NAME [DIVISOR] : one figure of each way that has a column.
row() {
    local label=$1 name=$2 way values=() value
    for way in eager demand fill recorded; do
        value=$(of $way "$name")
        [ "$value" = - ] || value=$((value / ${3:-1}))
        values+=("$value")
    done
    line "$label" "${values[@]}"
}

rounds_row() {
    local way values=()
    for way in eager demand fill recorded; do
        # shellcheck disable=SC2086 # numbers
        set -- ${got[$way,helper]:-}
        values+=($#)
    done
    line 'rounds' "${values[@]}"
}

bench_table() {
    line "$1 MiB" eager 'lazy, demand only' '+ fill' '+ recorded'
    echo '|---|---|---|---|---|'
    rounds_row
    row 'save helper, ms' helper 1000
    row 'until the guest continues its work, ms' on 1000
    row 'until it answers on its console, ms' answer 1000
    row 'until all memory is present, ms' whole 1000
    row 'faults' faults
    row 'pages prefetched' prefetch_pages
    row 'reads a second, in thousands, during the fill' during 1000
    row 'reads a second, in thousands, when complete' after 1000
    row 'memory in 2 MiB pages, %' large
    row "processor time of dom0 until complete, ms" xen 1000
    row "the restore's processes, as dom0's kernel counts them, ms" cpu 1000
    row "pager's peak memory, KiB" peak
}

bench_aims() {
    local eager paused fill
    eager=$(of eager helper) paused=$(of paused helper)
    fill=$(of paused fill_us)
    echo
    echo "helper, guest paused: $(ms "$paused") ms (index $(ms "$(
        of paused index_us)"), marking $(ms "$(of paused mark_us)")):" \
        "$(ratio "$paused" "$eager") of eager"
    echo "helper and fill ($(ms "$fill") ms), guest paused:" \
        "$(ratio $((paused + fill)) "$eager") of eager"
    echo "processor time of dom0 with a sidecar: $(ms "$(of sidecar xen)") ms"
    echo "faults without fill until the guest is calm: $(of demand calm)," \
        "after the recording $(of replay calm)"
    echo "when complete / eager: demand $(ratio "$(of demand after)" "$(
        of eager after)"), fill $(ratio "$(of fill after)" "$(
        of eager after)"), recorded $(ratio "$(of recorded after)" "$(
        of eager after)")"
}

# cost_row LABEL NAME [DIVISOR] : one figure of each way that has a column.
cost_row() {
    local label=$1 way values=() value
    for way in eager fill sidecar; do
        value=$(of $way "$2")
        [ "$value" = - ] || value=$((value / ${3:-1}))
        values+=("$value")
    done
    line "$label" "${values[@]}"
}

bench_cost_table() {
    line "$1 MiB" eager lazy 'lazy, with a sidecar'
    echo '|---|---|---|---|'
    cost_row 'processor time of dom0 until complete, ms' xen 1000
    cost_row 'faults' faulted
    cost_row "in the restore's programs, as dom0's kernel counts, ms" user 1000
    cost_row 'in the kernel and Xen for them, ms' kernel 1000
    cost_row 'guest paused: processor time of dom0, ms' paused_xen 1000
    cost_row "in the restore's programs, ms" paused_user 1000
    cost_row 'in the kernel and Xen for them, ms' paused_kernel 1000
}

# ways_of_round ROUND OF : `replay` is the slowest, and is taken once. Among busy
# loops, dom0's time is not the restore's.
ways_of_round() {
    echo eager fill paused demand recorded
    [ "${bench_load:-}" = yes ] || echo cost_eager cost_fill cost_sidecar
    [ "$1" != "$2" ] || echo replay
}

bench_leave() {
    kill ${rates:-} 2>/dev/null
    measure_no_load
    rig_guest_stop g 2>/dev/null
    umount /tmp/bench
    rmdir "$measure_group" 2>/dev/null
}

# in_turn MIB ROUNDS WAYS : WAYS, called with the round and ROUNDS, prints the ways.
in_turn() {
    local mib=$1 rounds=${bench_rounds:-$2} round way begun
    trap bench_leave EXIT
    mkdir "$measure_group"
    bench_make_guest "$mib"
    measure_load
    pages=$((mib * 256))
    for ((round = 1; round <= rounds; round++)); do
        for way in $("$3" $round "$rounds"); do
            [ $SECONDS -lt $bench_enough ] || break 2
            begun=$(now)
            "bench_$way"
            echo "$mib MiB, round $round, $way: $(ms $(($(now) - begun))) ms"
        done
    done
    echo
}

ways_of_cost() {
    echo cost_eager cost_fill cost_sidecar cost_paused cost_sidecar_paused
}

bench_cost() {
    in_turn "$1" "$2" ways_of_cost
    bench_cost_table "$1"
    echo
    all_figures
}

bench_lazy() {
    local mib=$1
    in_turn "$mib" "$2" ways_of_round
    bench_table "$mib"
    bench_aims
    echo
    all_figures
}
