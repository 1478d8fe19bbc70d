# SPDX-License-Identifier: LGPL-2.1-only
#
# The distribution's own commands on a guest with pages that are out: save and
# migrate fail, and the guest goes on. What maps its memory page by page gets
# it. (libxc's dump-core does not: it leaves out what is paged out.)

set -eu
. /rig/lib/rig.sh
. /rig/lib/paged.sh

[ "$RIG_XEN" != stock ] || { echo "nothing can be out"; exit 0; }

# refused WHAT COMMAND... : and the guest is still there, and runs.
refused() {
    local what=$1
    shift
    ! "$@" >"$RIG_TMP/said" 2>&1 || rig_fail "$what: done"
    grep 'esource busy' "$RIG_TMP/said" ||
        rig_fail "$what: another reason: $(<"$RIG_TMP/said")"
    [ "$("$rig_xl" list | wc -l)" = 3 ] || rig_fail "$what: $("$rig_xl" list)"
    rig_guest_run g true || rig_fail "$what: the guest does not run"
    [ "$(grep -c '^asked' "$paged_answered")" = 0 ] ||
        rig_fail "$what: pages were brought in"
}

rig_guest_start g pvh memory=128
paged_out 1 touch 1
refused "save" "$rig_xl" save g "$RIG_TMP/saved"
refused "migrate" "$rig_xl" migrate -s '' g "$rig_xl migrate-receive"
gfn=$(rig_guest_run g "sed -n 's/^gfn //p' /run/paged")
[ "$("$rig_tools/map-page" "$(rig_domid g)" "$gfn")" = 3 ] ||
    rig_fail "mapped: not the page's contents"
[ "$(paged_asked runs)" = 1 ] || rig_fail "mapped: nobody asked for it"
paged_go
paged_finish "after the mapping"
paged_in
"$rig_xl" save g "$RIG_TMP/saved" || rig_fail "not saved with all pages there"
