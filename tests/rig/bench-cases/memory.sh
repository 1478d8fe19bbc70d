# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: LGPL-2.1-only
#
# How much of a busy guest's memory is present while it is restored, twenty times
# a second, in each way: eager, fast, lazy, lazy with a recorded working set. The
# round in which the host was the least busy with other work is left in
# $RIG_OUT/memory.tsv, for docs/figures.

. ./lazy.bash

mib=${bench_mib:-1024} rounds=${bench_rounds:-2}
samples=/tmp/bench/memory

# --- one restore --------------------------------------------------------------

restore_eager() { measure_restore "$lazy_stock_helper" $bench_save; }
restore_fast() { measure_mode=off measure_restore $measure_ours $bench_save; }
restore_lazy() { rm -f $bench_save.lzx && restore_and_fill; }
restore_recorded() { cp /tmp/bench/record $bench_save.lzx && restore_and_fill; }

restore_and_fill() {
    measure_restore $measure_ours $bench_save
    xl-ext lazy-wait -q g || rig_fail 'the fill failed'
}

# rows WAY : its samples, as rows of the data.
rows() {
    awk -v way="$1" -v started="$started" -v on="$on" '
        NR == 1 { printf "%s\t0\t0\t0\n", way }
        { printf "%s\t%d\t%.1f\t%d\n", way, ($1 - started) / 1000, $2 / 256,
                 ($1 >= on) }
        END { exit NR < 10 }' $samples
}

watched() {
    local sampler started on
    /rig/tools/guest-memory "$next" >$samples &
    sampler=$!
    rates_start
    started=$(now)
    "restore_$1"
    next=$(($(rig_domid g) + 1))
    rig_wait_for 120 eval '[ -n "$(went_on)" ]' || rig_fail "$1: it does not work"
    sleep 0.2
    kill $sampler
    wait $sampler
    rates_stop
    on=$(went_on)
    echo "  $1: the guest works after $(ms $((on - started))) ms"
    rows "$1" >>"$rig_tmp/round.tsv" || rig_fail "$1: no samples"
    rig_guest_stop g
}

# --- the rounds ---------------------------------------------------------------

# keep WAITED TOOK : the round's data, when it is the quietest one so far.
keep() {
    [ "$1" -lt "${quietest:-$(($1 + 1))}" ] || return 0
    quietest=$1
    { printf '# PVH guest of %s MiB; the host of the emulated machine' "$mib"
      printf ' was busy with other work for %s of %s ms\n' "$1" "$2"
      printf '# way\tms since the start\tMiB present\tthe guest works\n'
      cat "$rig_tmp/round.tsv"; } >"$RIG_OUT/memory.tsv"
}

trap bench_leave EXIT
mkdir "$measure_group"
bench_make_guest "$mib"
pages=$((mib * 256))
bench_demand
measure_load
for ((round = 1; round <= rounds; round++)); do
    : >"$rig_tmp/round.tsv"
    begun=$(now)
    rig__read_waited before
    for way in eager fast lazy recorded; do watched $way; done
    rig__read_waited after
    took=$(ms $(($(now) - begun)))
    echo "round $round: $took ms; the machine's host was busy with other work" \
        "for $((after - before)) ms"
    keep $((after - before)) "$took"
done
