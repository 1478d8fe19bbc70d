# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-only
#
# One saved guest restored eagerly and lazily: the short table. Helper times and fill are medians of three, with the guest kept paused, so
# that nothing but the restore runs. The table goes to docs/measured.md.

. /rig/lib/rig.sh
. /rig/lib/lazy.sh
. /rig/lib/measure.sh
set -u

rounds=${bench_rounds:-3}
file=/tmp/bench.save

step() { printf '\n* %s\n' "$*"; }
trap 'measure_no_load; rig_guest_stop g 2>/dev/null; rm -f $file' EXIT

compare() {
    rig_compare g $file >/tmp/compare.log 2>&1 ||
        { cat /tmp/compare.log; rig_fail "$1: the memory differs"; }
    compared=$(sed -n 's/.*compared=\([0-9]*\).*/\1/p' /tmp/compare.log)
    equal=$(sed -n 's/.*equal=\([0-9]*\).*/\1/p' /tmp/compare.log)
}

paused_eager() {
    measure_restore "$lazy_stock_helper" $file -p
    eager_us+=($helper_us)
    rig_guest_stop g
}

paused_lazy() {
    measure_restore $measure_ours $file -p
    lazy_us+=($helper_us)
    xl-ext lazy-wait -q g || rig_fail 'the fill failed'
    domid=$(rig_domid g)
    fill_us+=($(lazy_field "$domid" fill_us))
    pages=$(lazy_field "$domid" pages)
    held=$(lazy_field "$domid" held_back)
    [ "${1:-}" != compare ] || compare 'lazy restore'
    rig_guest_stop g
}

# running HELPER : restores and runs; until the guest answers, in $answer_us.
running() {
    local start=${EPOCHREALTIME/./}
    measure_restore "$1" $file
    rig_guest_run g true || rig_fail 'the guest does not answer'
    answer_us=$((${EPOCHREALTIME/./} - start))
}

check_guest() {
    rig_guest_run -t 120 g 'pattern check /mem/p 42' ||
        rig_fail "the guest's data is not what it was"
}

measure() {
    local mib=$1 round eager_2m lazy_2m
    eager_us=() lazy_us=() fill_us=()
    step "A PVH guest of $mib MiB with $((mib * 3 / 8)) MiB of data is saved."
    rig_guest_start g pvh memory="$mib" &&
        rig_guest_run -t 120 g "pattern write /mem/p $((mib * 3 / 8)) 42" &&
        rig_time '  xl save' "$rig_xl" save g $file >/tmp/bench.log 2>&1 ||
        rig_fail 'no saved guest'
    tail -n 1 /tmp/bench.log
    measure_load
    echo '  restored eagerly and lazily in turn, paused, every page compared'
    for ((round = 0; round < rounds; round++)); do
        paused_eager
        paused_lazy "$([ $round -gt 0 ] || echo compare)"
        echo "  eager $(ms "${eager_us[-1]}") ms, lazy $(ms "${lazy_us[-1]}")" \
            "ms, fill $(ms "${fill_us[-1]}") ms; $equal of $compared pages equal"
    done

    step "Restored eagerly, running: xl restore $file"
    running "$lazy_stock_helper"
    eager_answer=$answer_us
    echo "  the guest answers after $(ms $eager_answer) ms"
    check_guest
    eager_2m=$(/rig/tools/count-2m "$(rig_domid g)")
    rig_guest_stop g

    step "Restored lazily, running: xl restore --lazy $file"
    running $measure_ours
    lazy_answer=$answer_us
    echo "  the guest answers after $(ms $lazy_answer) ms"
    check_guest
    xl-ext lazy-wait -q g || rig_fail 'the fill failed'
    measure_no_load
    check_guest
    domid=$(rig_domid g)
    faults=$(lazy_field "$domid" faults)
    lazy_2m=$(/rig/tools/count-2m "$domid")
    echo "  $faults faults; all memory present, the guest's data is right"
    rig_guest_stop g

    local eager lazy fill
    eager=$(median "${eager_us[@]}")
    lazy=$(median "${lazy_us[@]}")
    fill=$(median "${fill_us[@]}")
    column+=("$(ms "$eager")" "$(ms "$lazy")" "$(ratio "$lazy" "$eager")"
        "$(rate "$pages" "$eager")" "$(rate "$held" "$fill")"
        "$(ratio "$(rate "$held" "$fill")" "$(rate "$pages" "$eager")")"
        "$(ms "$eager_answer")" "$(ms "$lazy_answer")" "$faults"
        "$((eager_2m * 100 / pages)) %" "$((lazy_2m * 100 / pages)) %"
        "$equal of $compared")
}

labels=(
    'save helper, eager, ms' 'save helper, lazy, ms'
    'lazy / eager (at most 0.50 and 0.25)'
    'eager restore, pages/s' 'backfill, pages/s'
    'backfill / eager (at least 3)'
    'xl restore until the guest answers, eager, ms'
    'xl restore until the guest answers, lazy, ms'
    'faults served meanwhile and after'
    'memory in 2 MiB pages, eager' 'in 2 MiB pages, lazy, running (at least 60 %)'
    'pages equal to the save file, lazy, paused'
)

column=()
measure 256
measure 1024

step 'Measured in this run:'
echo
echo '| | 256 MiB | 1 GiB |'
echo '|---|---|---|'
for n in "${!labels[@]}"; do
    echo "| ${labels[n]} | ${column[n]} | ${column[n + ${#labels[@]}]} |"
done
