# SPDX-License-Identifier: LGPL-2.1-only
#
# The doctor on a stock hypervisor: nothing is missing; memory paging and vectors are
# optional.

set -eu
. /rig/lib/rig.sh

said=$(xl-ext doctor) || rig_fail "exit status $?: $said"
echo "$said"
[[ $said == *'Nothing is missing.' ]] || rig_fail "not the last line"
for check in lazy-paging evtchn-vectors; do
    grep -qE "^$check +- +optional .*make hypervisor" <<<"$said" ||
        rig_fail "$check"
done
grep -qE '^release +- +ok ' <<<"$said" || rig_fail "release"
