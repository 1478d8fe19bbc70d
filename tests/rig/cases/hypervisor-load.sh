# SPDX-License-Identifier: LGPL-2.1-only
#
# XENMEM_load_physmap of the patched hypervisor on a paused guest, and a fast
# restore with it and without: the same pages, as many of them in 2 MiB pages. No
# memory of the host is lost by it.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

tool=/rig/tools/load-physmap

if [ "$RIG_XEN" = stock ]; then
    [ "$("$tool" features)" = no ] || rig_fail 'a stock Xen has it'
    echo 'this Xen has no such operation, and does not announce it'
    exit 0
fi
[ "$("$tool" features)" = yes ] || rig_fail 'it is not announced'

free_memory() { xl info free_memory; }

# Pages of a destroyed domain come back bit by bit.
memory_is_back() {
    local want=$1 tries=100
    until [ "$(free_memory)" -ge "$want" ]; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] ||
            rig_fail "free memory is $(free_memory) MiB, was $want"
        sleep 0.1
    done
    echo "free memory is what it was: $want MiB"
}

cat >"$RIG_TMP/guest.cfg" <<EOT
name = "load"
type = "pvh"
memory = 256
vcpus = 1
kernel = "/rig/guest/vmlinuz"
ramdisk = "/rig/guest/initrd"
on_crash = "preserve"
EOT
before=$(free_memory)
xl create -p -q "$RIG_TMP/guest.cfg"
"$tool" "$(xl domid load)" || rig_fail 'see above'
! xl dmesg | grep -E 'Xen BUG|Assertion|order violation|FATAL' ||
    rig_fail 'Xen complained'
xl destroy load
memory_is_back "$before"

# restored WHAT : fast, paused; every page; its 2 MiB blocks are in $large.
restored() {
    local was
    was=$(/rig/tools/m2p-blocks)
    xl restore --fast -p "$lazy_file" >"$RIG_TMP/said" 2>&1 ||
        rig_fail "$1: $(<"$RIG_TMP/said")"
    ! grep 'fast restore is not possible' "$RIG_TMP/said" || rig_fail "$1"
    large=$(($(/rig/tools/m2p-blocks) - was))
    rig_compare g "$lazy_file" >"$RIG_TMP/compared" ||
        { cat "$RIG_TMP/compared"; rig_fail "$1: pages differ"; }
    echo "$1: $((large * 2)) of 256 MiB in 2 MiB pages,$(
        sed 's/^/ /' "$RIG_TMP/compared")"
}

# goes_on WHAT
goes_on() {
    "$rig_xl" unpause g
    rig_guest_run -t 120 g 'pattern check /mem/p 42' || rig_fail "$1: data"
    lazy_no_processes || rig_fail "$1: something is left"
    rig_guest_stop g
}

for type in pvh hvm; do
    lazy_save $type 1
    LD_PRELOAD=/rig/tools/no-load.so restored "$type, by a mapping"
    by_mapping=$large
    rig_guest_stop g
    restored "$type, loaded"
    [ $large -ge "$by_mapping" ] || rig_fail "$type: fewer 2 MiB pages"
    goes_on "$type"
done
