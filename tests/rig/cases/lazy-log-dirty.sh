# SPDX-License-Identifier: LGPL-2.1-only
#
# A guest's writes begin to be tracked, as by a live migration, while its memory
# is still out: each page that comes from then on counts as written.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

lazy_save pvh 1
# Recording holds the fill back until it is to be finished.
lazy_restore --record=200s -p "$lazy_file"
domid=$(rig_domid g)
left=$(lazy_paged_out "$domid")
[ "$left" = "$(lazy_field "$domid" held_back)" ] || rig_fail "$left are out"
/rig/tools/log-dirty "$domid" on
before=$(/rig/tools/log-dirty "$domid" count)
xl-ext lazy-finish --quiet g
dirty=$(/rig/tools/log-dirty "$domid" count)
echo "$left pages were out; $before count as written before, $dirty after"
[ "$before" -lt 100 ] || rig_fail "$before before"
[ "$dirty" -ge "$left" ] || rig_fail "too few"
/rig/tools/log-dirty "$domid" off
lazy_complete "$domid" || rig_fail "see above"
rig_compare g "$lazy_file" || rig_fail "memory differs"
"$rig_xl" unpause g
rig_guest_run -t 200 g 'pattern check /mem/p 42' || rig_fail "wrong data"
rig_guest_stop g
rm -f "$lazy_file.lzx"
