# SPDX-License-Identifier: LGPL-2.1-only
#
# What xen/paging.h promises, over real Xen, on a paused guest. Over the fake and
# userfaultfd: tests/unit/test-paging-contract.c.

set -eu
. /rig/lib/rig.sh

guest=contract

cat >"$RIG_TMP/guest.cfg" <<EOT
name = "$guest"
type = "pvh"
memory = 256
vcpus = 1
kernel = "/rig/guest/vmlinuz"
ramdisk = "/rig/guest/initrd"
EOT
xl create -p -q "$RIG_TMP/guest.cfg"
"$rig_tools/paging-contract" "$(xl domid "$guest")" || rig_fail "see above"
xl destroy "$guest"
