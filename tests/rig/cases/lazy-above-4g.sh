# SPDX-License-Identifier: LGPL-2.1-only
#
# A guest with half of its memory above 4 GiB: a large hole below makes a small
# guest enough. Its data, which the kernel puts there, is right while it fills
# and when it is complete.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

lazy_save hvm 1 memory=512 mmio_hole=3840
lazy_restore -p "$lazy_file"
domid=$(rig_domid g)
xl-ext lazy-wait --quiet g
lazy_complete "$domid" || rig_fail "paused: see above"
/rig/tools/count-2m "$domid" 0x100000 >"$RIG_TMP/above"
echo "gfns above 4 GiB in 2 MiB pages: $(<"$RIG_TMP/above")"
[ "$(<"$RIG_TMP/above")" -ge 32768 ] || rig_fail "little memory is up there"
rig_compare g "$lazy_file" || rig_fail "paused: memory differs"
rig_guest_stop g

lazy_restore "$lazy_file"
domid=$(rig_domid g)
rig_guest_run -t 200 g 'pattern check /mem/p 42' || rig_fail "while filling"
xl-ext lazy-wait --quiet g
lazy_numbers "$domid"
lazy_complete "$domid" || rig_fail "see above"
rig_guest_run -t 200 g 'pattern check /mem/p 42' || rig_fail "when complete"
rig_guest_stop g
