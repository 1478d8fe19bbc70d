# SPDX-License-Identifier: LGPL-2.1-only
#
# One page that is out is touched by all vcpus at once: all of them sleep.

set -eu
. /rig/lib/rig.sh
. /rig/lib/paged.sh

[ "$RIG_XEN" = patched ] || { echo "nothing can be out"; exit 0; }

rig_guest_start g pvh vcpus=2
rig_time "== 2 vcpus, one page" paged_touch_together 2
rig_guest_stop g
