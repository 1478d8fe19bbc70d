# SPDX-License-Identifier: LGPL-2.1-only
#
# One page that is out is touched by 4 and by 8 vcpus at once: all of them sleep.

set -eu
. /rig/lib/rig.sh
. /rig/lib/paged.sh

for vcpus in 4 8; do
    rig_guest_create g pvh vcpus=$vcpus
    rig_guest_wait g 200
    rig_time "$vcpus vcpus, one page" paged_touch_together $vcpus
    rig_guest_stop g
done
