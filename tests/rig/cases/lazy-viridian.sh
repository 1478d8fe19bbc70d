# SPDX-License-Identifier: LGPL-2.1-only
#
# A guest that uses enlightenments for Windows: Xen maps their pages when it loads
# the guest's context, after a lazy restore as after an eager one.

set -eu
. /rig/lib/rig.sh
. /rig/lib/lazy.sh

rig_guest_start g hvm memory=128 'viridian=["all"]'
rig_guest_run g 'modprobe msr && viridian start' || rig_fail "not enabled"
xl save g "$RIG_TMP/saved" 2>/dev/null

xl restore "$RIG_TMP/saved" 2>/dev/null || rig_fail "eagerly: see above"
rig_guest_run g 'viridian check' || rig_fail "eagerly: not mapped"
rig_guest_stop g

lazy_restore "$RIG_TMP/saved" || rig_fail "lazily: see above"
domid=$(rig_domid g)
rig_guest_run g 'viridian check' || rig_fail "lazily: not mapped"
xl-ext lazy-wait -q g || rig_fail "lazily: $(xl-ext lazy-list)"
lazy_complete "$domid" || rig_fail "lazily: see above"
rig_guest_stop g
