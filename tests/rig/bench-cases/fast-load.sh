# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: LGPL-2.1-only
#
# One saved guest restored by `--fast`, in turn by a mapping of its memory, as on
# any Xen, and by XENMEM_load_physmap, which the patched hypervisor has; medians
# of the helper's time and of what Xen let dom0 run meanwhile. The guest is kept
# paused. The table goes to docs/measured.md.

. /rig/lib/rig.sh
. /rig/lib/lazy.sh
. /rig/lib/measure.sh
set -u

rounds=${bench_rounds:-5}
mib=${bench_mib:-1024}
file=/tmp/bench.save
measure_mode=off # not lazily
trap 'rig_guest_stop g 2>/dev/null; rm -f $file $file.lzx' EXIT

[ "$(/rig/tools/load-physmap features)" = yes ] ||
    rig_fail 'this hypervisor does not load without a mapping'

# once WAY ROUND : mapped or loaded.
once() {
    local way=$1 preload='' dom0
    [ "${way%%-*}" = loaded ] || preload=/rig/tools/no-load.so
    dom0=$(measure_xen_us)
    LD_PRELOAD=$preload measure_restore "$measure_ours" $file -p
    note "$way" dom0 $(($(measure_xen_us) - dom0))
    note "$way" helper "$helper_us"
    note "$way" large "$(/rig/tools/count-2m "$(rig_domid g)")"
    [ "$2" -gt 0 ] || rig_compare g $file || rig_fail 'the memory differs'
    rig_guest_stop g
    echo "$way: helper $(ms "$helper_us") ms"
}

rig_guest_start g pvh memory="$mib" &&
    rig_guest_run -t 400 g "pattern write /mem/p $((mib * 3 / 8)) 42" &&
    "$rig_xl" save g $file >/tmp/bench.log 2>&1 || rig_fail 'no saved guest'
for ((round = 0; round < rounds; round++)); do
    once mapped $round
    once loaded $round
done
xl image-index $file >/tmp/bench.log 2>&1 || rig_fail 'image-index'
for ((round = 0; round < rounds; round++)); do
    once mapped-sidecar $round
    once loaded-sidecar $round
done
all_figures

ways=(mapped loaded mapped-sidecar loaded-sidecar)
figures() {
    local way
    for way in "${ways[@]}"; do ms "$(of "$way" "$1")"; done
}
share() {
    local way
    for way in "${ways[@]}"; do
        awk -v n="$(of "$way" large)" -v mib="$mib" \
            'BEGIN { printf "%.1f %%\n", n * 100 / (mib * 256) }'
    done
}
echo
echo "| $mib MiB | mapped | loaded | mapped, sidecar | loaded, sidecar |"
echo '|---|---|---|---|---|'
mapfile -t row < <(figures helper) && line 'save helper, ms' "${row[@]}"
mapfile -t row < <(figures dom0) && line "dom0's time in all, ms" "${row[@]}"
mapfile -t row < <(share) && line 'in 2 MiB pages' "${row[@]}"
