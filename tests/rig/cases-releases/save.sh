# SPDX-License-Identifier: LGPL-2.1-only
#
# Save files for the other release: see restore.sh.

set -eu
. /rig/lib/rig.sh

mkdir -p "$RIG_OUT/saves"
for type in pvh hvm; do
    rig_guest_start g $type memory=160
    rig_guest_run -t 120 g 'pattern write /mem/p 32 42'
    # xl cannot write to the shared folder.
    "$rig_xl" save g "$RIG_TMP/g.save"
    cp "$RIG_TMP/g.save" "$RIG_OUT/saves/$RIG_SUITE-$type.save"
    rm "$RIG_TMP/g.save"
done
