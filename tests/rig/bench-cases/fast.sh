# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: LGPL-2.1-only
#
# One saved guest restored by the distribution's save helper and by `--fast`, in
# turn, on any Xen; medians of the helpers' times, the guest kept paused. The
# table goes to docs/measured.md.

. /rig/lib/rig.sh
. /rig/lib/lazy.sh
. /rig/lib/measure.sh
set -u

rounds=3
file=/tmp/bench.save
measure_mode=off # not lazily
trap 'rig_guest_stop g 2>/dev/null; rm -f $file' EXIT

# once HELPER : its time in $helper_us, the guest's 2 MiB pages in $large.
once() {
    measure_restore "$1" $file -p
    large=$(/rig/tools/count-2m "$(rig_domid g)" 2>/dev/null) || large=
    [ "${2:-}" != compare ] || rig_compare g $file >/tmp/compare.log ||
        { cat /tmp/compare.log; rig_fail 'the memory differs'; }
    rig_guest_stop g
}

# share BLOCKS MIB : of all memory; nothing on a Xen that cannot be asked.
share() { [ -z "$1" ] || echo "$(($1 * 200 / $2)) %"; }

measure() {
    local mib=$1 round eager_us=() fast_us=() eager fast eager_large
    rig_guest_start g pvh memory="$mib" &&
        rig_guest_run -t 400 g "pattern write /mem/p $((mib * 3 / 8)) 42" &&
        "$rig_xl" save g $file >/tmp/bench.log 2>&1 || rig_fail 'no saved guest'
    for ((round = 0; round < rounds; round++)); do
        once "$lazy_stock_helper"
        eager_us+=("$helper_us") eager_large=$large
        once "$measure_ours" "$([ $round -gt 0 ] || echo compare)"
        fast_us+=("$helper_us")
        echo "$mib MiB: distribution's $(ms "${eager_us[-1]}") ms, fast $(
            ms "${fast_us[-1]}") ms"
    done
    eager=$(median "${eager_us[@]}")
    fast=$(median "${fast_us[@]}")
    column+=("$(ms "$eager")" "$(ms "$fast")" "$(ratio "$fast" "$eager")"
        "$(share "$eager_large" "$mib")" "$(share "$large" "$mib")"
        "$(sed -n 's/.*compared=\([0-9]*\) equal=\([0-9]*\).*/\2 of \1/p' \
            /tmp/compare.log)")
}

labels=(
    "save helper, the distribution's, ms" 'save helper, fast, ms'
    'fast / the distribution (1 GiB: at most 0.60)'
    "in 2 MiB pages, the distribution's" 'in 2 MiB pages, fast'
    'pages equal to the save file, fast'
)

column=()
measure 256
measure 1024
echo
echo '| | 256 MiB | 1 GiB |'
echo '|---|---|---|'
for n in "${!labels[@]}"; do
    echo "| ${labels[n]} | ${column[n]} | ${column[n + ${#labels[@]}]} |"
done
